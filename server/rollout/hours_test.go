package rollout

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"plumb/policies"
	"plumb/policies/calendar"
)

// What is remembered of windows and freezes is what the calendar says anew at each instant, also
// when the clock goes back.
func TestHoursRemember(t *testing.T) {
	windows := map[string]calendar.Window{
		"a": {Name: "a", RRule: "FREQ=DAILY", Start: "22:00", Duration: 5 * 3600, Cutoff: 3600},
		"b": {Name: "b", RRule: "FREQ=WEEKLY;BYDAY=SA,SU", Start: "00:30", Duration: 1800, Timezone: "America/New_York"},
		"c": {Name: "c", RRule: "FREQ=DAILY", Start: "12:00", Duration: 3600, Classes: []string{calendar.Config}},
	}
	rapid.Check(t, func(t *rapid.T) {
		ring := policies.Ring{Name: "r", Windows: rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a", "b", "c", "gone"}), rapid.ID[string]).Draw(t, "windows")}
		p := placement{zone: rapid.SampledFrom([]string{"", "UTC", "Asia/Tokyo", "Mars/Olympus"}).Draw(t, "zone")}
		for range rapid.IntRange(0, 2).Draw(t, "freezes") {
			from := start.Add(time.Duration(rapid.IntRange(-20, 20).Draw(t, "from")) * time.Hour)
			f := calendar.Freeze{Name: from.String(), From: from, Until: from.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "hours")) * time.Hour)}
			f.Allow = rapid.SampledFrom([][]string{nil, {"emergency"}}).Draw(t, "allow")
			p.freezes = append(p.freezes, f)
		}
		s := State{Rollout: rapid.SampledFrom([]string{"", "x"}).Draw(t, "rollout"), Emergency: rapid.Bool().Draw(t, "emergency")}
		kept, now := hoursOf(s, windows, start), start
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(-60, 300).Draw(t, "minutes")) * time.Minute)
			late := rapid.Bool().Draw(t, "late")
			kept.at(now)
			got, want := kept.permit(ring, late, p), hoursOf(s, windows, now).permit(ring, late, p)
			if got.Allowed != want.Allowed || !got.Next.Equal(want.Next) {
				t.Fatalf("at %s it remembers %v until %s, and it is %v until %s", now, got.Allowed, got.Next, want.Allowed, want.Next)
			}
		}
	})
}

func TestLate(t *testing.T) {
	cycle, offered := State{Rollout: "x"}, Ring{Offered: start}
	ring := policies.Ring{Deadline: 60}
	for name, c := range map[string]struct {
		state State
		plan  policies.Ring
		ring  Ring
		now   time.Time
		want  bool
	}{
		"before":               {cycle, ring, offered, start.Add(59 * time.Second), false},
		"at the deadline":      {cycle, ring, offered, start.Add(time.Minute), true},
		"not offered yet":      {cycle, ring, Ring{}, start.Add(time.Hour), false},
		"no deadline":          {cycle, policies.Ring{}, offered, start.Add(time.Hour), false},
		"releases have no one": {State{}, ring, offered, start.Add(time.Hour), false},
	} {
		if got := late(c.state, c.plan, c.ring, c.now); got != c.want {
			t.Errorf("%s: late = %v, want %v", name, got, c.want)
		}
	}
}
