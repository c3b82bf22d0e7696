package lang

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plumb/modules"
	"plumb/policies"
	"plumb/policies/bundle"
)

func TestPatchResource(t *testing.T) {
	out := compiled(t, readTree(t, "testdata/valid/patching"), debian())
	list := patchesOf(out)
	if len(list) != 1 {
		t.Fatalf("patches = %+v, want one: the baseline of the other rollout does not apply", list)
	}
	got, kernels := list[0], 1
	wantAttributes := modules.Patch{
		Rollout: "patches", Ring: "broad", Baseline: out.Terms.Baselines[0],
		Conffiles: "new", Superseded: "newest", Rollback: "snapshot", Reboot: "services_only", Deadline: 14 * 86400, Grace: 2 * 86400,
		MinFree: map[string]int64{"/": 1 << 30, "/boot": 200 << 20}, Kernels: &kernels,
		Hooks: &policies.Hooks{Before: []string{"/usr/local/sbin/before"}, Drain: []string{"/usr/local/sbin/drain", "--wait"},
			Undrain: []string{"/usr/local/sbin/undrain"}, After: []string{"/usr/local/sbin/after"}, Snapshot: []string{"/usr/local/sbin/snapshot", "make"},
			Restore: []string{"/usr/local/sbin/snapshot", "restore"}, Discard: []string{"/usr/local/sbin/snapshot", "discard"}},
		Probes: []policies.Probe{{Name: "web", HTTP: "http://localhost:8080/health", Within: 120}, {Name: "db", TCP: "[::1]:5432", Within: 60},
			{Name: "unit", Unit: "nginx.service", Within: 60}, {Name: "smoke", Command: []string{"/usr/local/sbin/smoke", "--quick"}, Within: 60}},
	}
	if diff := cmp.Diff(wantAttributes, attributesOf(t, got), cmpopts.IgnoreUnexported(modules.Patch{})); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	got.Attributes = nil
	want := policies.Resource{Address: "rollout.patches", Kind: "patch", Policy: "patches", Mode: policies.Enforce,
		Window: []string{"nights", "weekends"}, Source: got.Source}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resource (-want +got):\n%s", diff)
	}
	if names := sortedKeys(out.Catalog.Windows); !slices.Equal(names, want.Window) {
		t.Errorf("windows of the catalog = %v, want %v", names, want.Window)
	}
}

// patchTree has a rollout with two rings by labels, and a policy around whose resources it comes.
const patchTree = `
group "a" { match = host.labels.a == "yes" }
group "b" { match = host.labels.b == "yes" }
patch_baseline "security" {
  source { codename = "${fact.os.codename}-security" }
}
rollout "patches" {
  carries = patch_baseline.security
  ring "one" { group = group.a }
  ring "two" { group = group.b }
}
policy "p" {
  resource "file" "f" { path = "/f" }
  check "file" "g" { path = "/g" }
}
`

func TestRingOfPatches(t *testing.T) {
	cases := map[string]struct {
		a, b string
		ring string
	}{
		"first":  {"yes", "no", "one"},
		"second": {"no", "yes", "two"},
		"none":   {"no", "no", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			out := compiled(t, site(patchTree), labelled(c.a, c.b))
			got := ""
			for _, one := range patchesOf(out) {
				p := attributesOf(t, one)
				got = p.Ring
				if p.Reboot != "as_needed" || p.Rollback != "downgrade" || p.Superseded != "wait" || p.Conffiles != "keep" {
					t.Errorf("attributes = %+v, want the words that go without saying", p)
				}
			}
			if got != c.ring {
				t.Errorf("ring = %q, want %q", got, c.ring)
			}
		})
	}
}

func TestPatchesComeBeforeChecks(t *testing.T) {
	var got []string
	for _, one := range compiled(t, site(patchTree), labelled("yes", "no")).Catalog.Resources {
		got = append(got, one.Address)
	}
	want := []string{"policy.p.file.f", "rollout.patches", "policy.p.check.file.g"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestHostInTwoRings(t *testing.T) {
	out := loaded(t, site(patchTree)).Compile(labelled("yes", "yes"))
	if !slices.Equal(summaries(out.Problems), []string{"Host in two rings"}) || len(out.Catalog.Resources) > 0 {
		t.Fatalf("problems = %+v and %d resources, want one problem and no catalog", out.Problems, len(out.Catalog.Resources))
	}
	if p := out.Problems[0]; p.Host != "web1" || p.Line != 7 || !strings.Contains(p.Detail, "exclude = group.a") || !strings.Contains(p.Snippet, `rollout "patches"`) {
		t.Errorf("problem = %+v, want host, line and the way out", p)
	}
}

func TestBaselineCarriedTwice(t *testing.T) {
	more := "rollout \"more\" {\n  carries = patch_baseline.security\n  ring \"b\" { group = group.b }\n}\n"
	c := loaded(t, bundle.Tree{"a.hcl": []byte(strings.Replace(patchTree, `ring "two" { group = group.b }`, "", 1)), "b.hcl": []byte(more)})
	if out := c.Compile(labelled("yes", "no")); len(out.Problems) > 0 || len(patchesOf(out)) != 1 {
		t.Errorf("in one of them: %+v", out)
	}
	if out := c.Compile(labelled("yes", "yes")); !slices.Equal(summaries(out.Problems), []string{"Baseline carried twice"}) {
		t.Errorf("problems = %+v, want one about the baseline", out.Problems)
	}
}

func TestOneGroupInTwoRings(t *testing.T) {
	out := loaded(t, site(strings.Replace(patchTree, `ring "two" { group = group.b }`, `ring "two" { group = group.a }`, 1))).Compile(labelled("yes", "no"))
	if len(out.Problems) != 1 || !strings.Contains(out.Problems[0].Detail, "take one of them out") {
		t.Errorf("problems = %+v, want one that says to take a ring out", out.Problems)
	}
}

// What a baseline reads is part of what the catalog depends on.
func TestPatchResourceReads(t *testing.T) {
	c := loaded(t, site(patchTree))
	in := labelled("yes", "no")
	out := c.Compile(in)
	if want := []string{"fact.os.codename", "host.labels.a", "host.labels.b"}; !slices.Equal(out.Reads, want) {
		t.Errorf("reads = %v, want %v", out.Reads, want)
	}
	other := labelled("yes", "no")
	other.Facts["os"] = map[string]any{"codename": "trixie"}
	_, first, _ := Digest(out.Catalog)
	_, second, _ := Digest(c.Compile(other).Catalog)
	if c.Key(in, out.Reads) == c.Key(other, out.Reads) || first == second {
		t.Error("another codename changes neither key nor catalog")
	}
}

func labelled(a, b string) Input {
	in := debian()
	in.Host.Labels = map[string]string{"a": a, "b": b}
	return in
}

func patchesOf(out Output) []policies.Resource {
	var list []policies.Resource
	for _, one := range out.Catalog.Resources {
		if one.Kind == "patch" {
			list = append(list, one)
		}
	}
	return list
}

func attributesOf(t *testing.T, one policies.Resource) modules.Patch {
	t.Helper()
	var p modules.Patch
	dec := json.NewDecoder(bytes.NewReader(one.Attributes))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		t.Fatal(err)
	}
	return p
}
