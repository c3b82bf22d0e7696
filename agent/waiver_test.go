package agent

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"plumb/policies"
	"plumb/policies/bundle"
)

// waivedTree is the policy of rig.tree with a waiver that ends at the time.
func (r *rig) waivedTree(text string, ends time.Time) bundle.Tree {
	r.t.Helper()
	tree := r.tree(text)
	var catalog policies.Catalog
	if err := json.Unmarshal(tree["catalog.json"], &catalog); err != nil {
		r.t.Fatal(err)
	}
	catalog.Waivers = map[string]policies.Waiver{"w": {Name: "w", Expires: ends, Effect: "audit", Reason: "An appliance"}}
	catalog.Resources[0].Waivers = []string{"w"}
	raw, err := json.Marshal(catalog)
	if err != nil {
		r.t.Fatal(err)
	}
	return bundle.Tree{"catalog.json": raw}
}

// wantLast checks how the only resource stands.
func (r *rig) wantLast(status policies.Status, why policies.Cause) {
	r.t.Helper()
	if got := r.last()["file.motd"]; got.Status != status || got.Cause != why {
		r.t.Errorf("/motd is %s (%s), want %s (%s)", got.Status, got.Cause, status, why)
	}
}

// TestWaiversEndOffline has no server when it is over.
func TestWaiversEndOffline(t *testing.T) {
	r := newRig(t)
	r.enroll("")
	r.publish(1, 0, r.tree("one"))
	r.round()
	r.publish(2, 1, r.waivedTree("one", time.Now().Add(3*time.Hour)))
	r.spoil()
	out := r.round()
	r.wantLast(policies.Waived, policies.Corrective)
	if wait := out.Opens.Sub(r.agent.Now()); wait < 2*time.Hour || wait > 3*time.Hour {
		t.Errorf("it looks again in %s, want that at the end of the waiver", wait)
	}
	r.Before(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true })
	r.clock += 2 * time.Hour
	r.round()
	r.want("drift", 2)
	r.clock += time.Hour
	r.round()
	r.want("one", 2)
	r.wantLast(policies.Repaired, policies.RevertedWaiver)
}

// TestACommitTakesAWaiverBack is told with the cause, and not as an intention.
func TestACommitTakesAWaiverBack(t *testing.T) {
	r := newRig(t)
	r.enroll("")
	r.publish(1, 0, r.waivedTree("one", time.Now().Add(time.Hour)))
	r.round()
	r.wantLast(policies.Waived, policies.Initial)
	r.publish(2, 1, r.tree("one"))
	r.round()
	r.wantLast(policies.Repaired, policies.RevertedWaiver)
	r.publish(3, 2, r.tree("two"))
	r.round()
	r.wantLast(policies.Repaired, policies.Intentional)
	held, err := r.agent.Dir.Releases()
	if err != nil {
		t.Fatal(err)
	}
	if got := r.last()["file.motd"]; got.To != held.Good.Commit || got.From != held.Previous.Commit || got.From == got.To {
		t.Errorf("it is meant between %q and %q, want %q and %q", got.From, got.To, held.Previous.Commit, held.Good.Commit)
	}
}

// TestAClockThatIsOffEndsNoWaiver and prolongs none: the server's word counts then.
func TestAClockThatIsOffEndsNoWaiver(t *testing.T) {
	for name, c := range map[string]struct {
		off  time.Duration
		ends time.Duration
		want policies.Status
	}{
		"years ahead":       {3 * 365 * 24 * time.Hour, time.Hour, policies.Waived},
		"behind":            {-2 * time.Hour, -time.Hour, policies.Repaired},
		"right, and over":   {0, -time.Hour, policies.Repaired},
		"right, and not so": {0, time.Hour, policies.Waived},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.publish(1, 0, r.waivedTree("one", time.Now().Add(c.ends)))
			r.enroll("")
			r.round() // with a clock that is right, to take the release
			r.spoil()
			r.Now = time.Now
			r.clock = c.off
			r.round()
			if got := r.last()["file.motd"]; got.Status != c.want {
				t.Errorf("with a clock off by %s it is %s (%s), want %s", c.off, got.Status, strings.TrimSpace(got.Message), c.want)
			}
		})
	}
}
