package views

import (
	"encoding/json"
	"slices"
	"testing"
)

// TestHostSet holds that a set made of shared lists says the same as one list of sorted names, also to who reads its JSON.
func TestHostSet(t *testing.T) {
	web, db := []string{"web2", "web1"}, []string{"db1"}
	for name, c := range map[string]struct {
		set  HostSet
		json string
	}{
		"none": {HostSet{}, `[]`},
		"one":  {HostsNamed("b", "a"), `["a","b"]`},
		"two":  {HostSet{}.with(&web).with(&db), `["db1","web1","web2"]`},
	} {
		raw, err := json.Marshal(struct{ Hosts HostSet }{c.set})
		if want := `{"Hosts":` + c.json + `}`; err != nil || string(raw) != want {
			t.Errorf("%s: JSON = %s, %v, want %s", name, raw, err, want)
		}
		var back HostSet
		if err := json.Unmarshal([]byte(c.json), &back); err != nil || !back.Equal(c.set) || back.Len() != c.set.Len() {
			t.Errorf("%s: read back as %v, %v", name, back.Names(), err)
		}
	}
	if !slices.Equal(web, []string{"web2", "web1"}) {
		t.Errorf("a set sorted the list that it shares: %v", web)
	}
}
