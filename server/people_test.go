package server_test

import (
	"slices"
	"testing"

	"plumb/server/api"
	"plumb/server/people"
)

// TestRolesAreTheSame compares the two lists of roles: who signs in gets one of the first, and
// routes ask for one of the second.
func TestRolesAreTheSame(t *testing.T) {
	for i, role := range people.Roles {
		has := api.Caller{Role: api.Access(role)}
		for j, needed := range people.Roles {
			if got := has.May(api.Access(needed)); got != (j <= i) {
				t.Errorf("a person with the role %s may do what needs %s = %v", role, needed, got)
			}
		}
	}
	for _, a := range api.Accesses {
		if api.IsRole(string(a)) != slices.Contains(people.Roles, string(a)) {
			t.Errorf("%s is a role for one side only", a)
		}
	}
}
