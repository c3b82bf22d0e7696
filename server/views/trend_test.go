package views

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/policies"
	"plumb/server/store"
)

// TestTrend compares each point with the intervals that hosts had at that instant, and with what is
// told by a memory that counted them before.
func TestTrend(t *testing.T) {
	s := kpiStore(t)
	for n, name := range []string{"a", "b", "c"} {
		host := kpiHost(t, s, name)
		kpiReports(t, s, host, 3, 7*60*(n+1))
	}
	if err := s.Revoke(t.Context(), "id-b", "ada", kpiStart.Add(3*day)); err != nil {
		t.Fatal(err)
	}
	r, memory := Reader{Store: s}, Reader{Store: s, Memory: &Memory{}}
	for _, period := range Periods() {
		for _, now := range []time.Time{kpiStart.Add(5 * day), kpiStart.Add(5*day + 40*time.Minute), kpiStart.Add(2 * day)} {
			t.Run(fmt.Sprint(period, " at ", now), func(t *testing.T) {
				trend, err := r.Trend(t.Context(), period, now)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range trend.Points[:len(trend.Points)-1] {
					if diff := cmp.Diff(stoodAt(t, s, p.At), p.Status); diff != "" {
						t.Errorf("the fleet at %s differs (-want +got):\n%s", p.At, diff)
					}
				}
				for range 2 {
					again, err := memory.Trend(t.Context(), period, now)
					if diff := cmp.Diff(trend, again); err != nil || diff != "" {
						t.Errorf("a memory tells otherwise, error %v (-want +got):\n%s", err, diff)
					}
				}
			})
		}
	}
}

func stoodAt(t *testing.T, s *store.Store, at time.Time) Tally {
	t.Helper()
	stood := Tally{}
	for _, name := range []string{"a", "b", "c"} {
		if i, err := s.IntervalAt(t.Context(), id(name), at); err == nil {
			stood[i.Status]++
		}
	}
	return stood
}

func TestVerdictOfControls(t *testing.T) {
	for name, c := range map[string]struct {
		tally      Tally
		unanswered int
		want       string
	}{
		"all pass":           {Tally{policies.Compliant: 3, policies.Repaired: 1}, 0, VerdictPass},
		"one fails":          {Tally{policies.Compliant: 3, policies.Failed: 1, policies.Stale: 1}, 1, VerdictFail},
		"one is silent":      {Tally{policies.Compliant: 3, policies.Stale: 1}, 0, VerdictUnknown},
		"one never came":     {Tally{policies.Compliant: 3}, 1, VerdictUnknown},
		"one was skipped":    {Tally{policies.Compliant: 3, policies.Skipped: 1}, 0, VerdictUnknown},
		"one waits":          {Tally{policies.Compliant: 3, policies.Pending: 1, policies.Waived: 1}, 0, VerdictWaiting},
		"one is waived":      {Tally{policies.Compliant: 3, policies.Waived: 1}, 0, VerdictWaived},
		"it is for nobody":   {Tally{}, 0, VerdictUnknown},
		"a word of tomorrow": {Tally{policies.Compliant: 3, "fresh": 1}, 0, VerdictUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			if got := verdictOf(c.tally, c.unanswered); got != c.want {
				t.Errorf("verdictOf(%v, %d) = %s, want %s", c.tally, c.unanswered, got, c.want)
			}
		})
	}
}
