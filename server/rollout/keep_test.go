package rollout

import (
	"encoding/json"
	"fmt"
	"testing"
)

// TestStepSeesWhatIsStored wants a step to go by the state that is stored, also when another server stored it, and not
// by the one that it read before.
func TestStepSeesWhatIsStored(t *testing.T) {
	v := newServer(t)
	v.fleet()
	v.begin("set 1", nil)
	v.step()
	row, err := v.store.NewestCycle(t.Context(), "security")
	v.ok(err)
	for _, who := range []string{"alice", "clara"} { // as many bytes, at the same time
		s, err := ReadCycle(row)
		v.ok(err)
		s.Paused = &Act{At: v.now, Who: who, Why: "wait"}
		raw, err := json.Marshal(s)
		v.ok(err)
		row.State = string(raw)
		v.ok(v.store.SaveCycle(t.Context(), row))
		v.step()
		if got := v.Glimpses()[0].Book[0].Paused; got == nil || got.Who != who {
			t.Errorf("after %s paused it: %+v", who, got)
		}
	}
}

// TestKnownStateIsReadOnce wants a state to be decoded once for all steps that find it unchanged, and what is noted in a
// copy of it to stay there.
func TestKnownStateIsReadOnce(t *testing.T) {
	d, read := Driver{decoded: map[ID]*decoded{}}, 0
	state := func(stored string) State {
		s, err := d.known(ID{Rollout: "os", Number: 1}, stored, func() (State, error) {
			read++
			return State{History: append(make([]Entry, 0, 9), Entry{What: stored})}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one, other := state("a"), state("a")
	one.note(Entry{What: "mine"})
	other.note(Entry{What: "yours"})
	if got := fmt.Sprint(one.History[1].What, other.History[1].What, len(state("a").History), state("b").History[0].What, read); got != "mineyours1b2" {
		t.Errorf("got %s, want each copy with its own note, and two decoded", got)
	}
}
