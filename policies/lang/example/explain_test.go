package example

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/lang"
)

var update = flag.Bool("update", false, "write the golden files anew")

// What is explained is what the host gets: each attribute of each resource, and nothing else.
// Where it is said to be written, there it is.
func TestExplainedIsCompiled(t *testing.T) {
	c, _ := lang.Load(Example())
	bare := lang.Input{Host: inventory.Host{Name: "bare"}, Facts: map[string]any{
		"os": map[string]any{"kernel": "linux"}, "arch": "amd64", "chassis": "container", "packages": map[string]any{}}}
	explained := 0
	for _, in := range []lang.Input{debian(t, "web1.example.org"), debian(t, "db1.example.org"), bare} {
		for _, one := range c.Compile(in).Catalog.Resources {
			why := c.Explain(in, one.Address)
			if why.Explanation == nil {
				t.Fatalf("Explain(%s, %s) = %+v", in.Host.Name, one.Address, why)
			}
			explained += sameValues(t, one, *why.Explanation)
		}
	}
	if explained < 60 {
		t.Errorf("%d attributes were compared, want those of the example", explained)
	}
}

func sameValues(t *testing.T, want policies.Resource, got policies.Explanation) int {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal(want.Attributes, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != len(got.Attributes) || got.Source != want.Source || text(got.Mode.Value) != string(want.Mode) || got.NotApplicable != want.NotApplicable {
		t.Errorf("%s is explained as %+v", want.Address, got)
	}
	for _, one := range got.Attributes {
		if string(all[one.Name]) != string(one.Value) && !slices.Contains(want.Sensitive, one.Name) {
			t.Errorf("%s.%s is explained as %s, want %s", want.Address, one.Name, one.Value, all[one.Name])
		}
		line := strings.Split(string(Example()[one.At.File]), "\n")[one.At.Line-1]
		if !strings.Contains(line, one.Name) && !strings.HasPrefix(one.From, "the label") {
			t.Errorf("%s.%s is said to be at %+v, where stands %q", want.Address, one.Name, one.At, line)
		}
	}
	return len(got.Attributes)
}

func text(raw json.RawMessage) (s string) {
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func TestExplainGolden(t *testing.T) {
	c, _ := lang.Load(Example())
	for address, file := range map[string]string{"file.motd": "testdata/motd.json", `sshd_directive.limits["LoginGraceTime"]`: "testdata/limits.json"} {
		raw, err := json.MarshalIndent(c.Explain(debian(t, "web1.example.org"), address), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, '\n')
		if *update {
			if err := os.WriteFile(file, raw, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(raw)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", address, diff)
		}
	}
}
