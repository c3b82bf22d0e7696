package views

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumb/policies"
)

func TestDescribed(t *testing.T) {
	standing := func(name string, d *policies.PolicyInfo) PolicyStanding {
		return PolicyStanding{Name: name, Status: Tally{}, Modes: []policies.Mode{}, Controls: []string{}, Resources: []ResourceStanding{}, Declared: d}
	}
	a, b, d := policies.PolicyInfo{Name: "a", Title: "A"}, policies.PolicyInfo{Name: "b", Version: "1.0.0"}, policies.PolicyInfo{Name: "d"}
	held := standing("b", nil)
	held.Status = Tally{policies.Compliant: 3}
	got := described([]PolicyStanding{held, standing("c", nil)}, []policies.PolicyInfo{a, b, d})
	held.Declared = &b
	want := []PolicyStanding{standing("a", &a), held, standing("c", nil), standing("d", &d)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("described() differs (-want +got):\n%s", diff)
	}
}

// TestDeclareFails leaves how hosts stand as it is, and says why the rest is missing.
func TestDeclareFails(t *testing.T) {
	r := Reader{Plans: func(context.Context) (Plans, error) { return Plans{}, errors.New("the policy compiler died") }}
	c := Compliance{Policies: []PolicyStanding{{Name: "a"}}}
	if err := r.declare(t.Context(), &c); err != nil || c.Undescribed != "the policy compiler died" || len(c.Policies) != 1 || c.Release != 0 {
		t.Errorf("declare() = %v, %+v", err, c)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := r.declare(ended, &c); !errors.Is(err, context.Canceled) {
		t.Errorf("declare() of a request that has ended = %v", err)
	}
}
