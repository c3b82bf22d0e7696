package inventory

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTreeIsWhatJSONSays(t *testing.T) {
	for name, packages := range map[string]map[string]string{
		"unknown":   nil,
		"none":      {},
		"some":      {"bash": "5.2-1", "a": "<&>\u2028"},
		"no text":   {"bash": "5\xff\xfe"},
		"bad names": {"\xff": "1"},
	} {
		t.Run(name, func(t *testing.T) {
			f := Facts{OS: OS{Kernel: "linux"}, Packages: packages, Custom: map[string]any{"site": map[string]any{"rack": 7.0}}}
			raw, err := json.Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			var want map[string]any
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			got, err := f.Tree()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Tree() (-want +got):\n%s", diff)
			}
			if !cmp.Equal(f.Packages, packages) {
				t.Errorf("Tree() changed the facts to %v", f.Packages)
			}
		})
	}
}
