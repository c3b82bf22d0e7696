package trust

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies/patch"
)

func goodSet() patch.Set {
	return patch.Set{Rollout: "web", Baseline: "b", Items: []patch.Item{
		{Manager: "apt", Package: "bash", Source: "bash", Arch: "amd64", Version: "5.2-1", Repository: "Debian-Security:bookworm-security", Level: "high"},
		{Manager: "apt", Package: "libc6", Source: "glibc", Arch: "amd64", Version: "2.36-9+deb12u10", Repository: "Debian:bookworm"},
	}}
}

func TestSet(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*patch.Set)
		text func(string) string
		says string
	}{
		"fine":              {nil, nil, ""},
		"no items":          {func(s *patch.Set) { s.Items = []patch.Item{} }, nil, ""},
		"dnf's words":       {func(s *patch.Set) { s.Items[1].Manager, s.Items[1].Version = "dnf", "1:5.2^git1~rc2-3.el9_4" }, nil, ""},
		"another rollout":   {func(s *patch.Set) { s.Rollout = "db" }, nil, `of the rollout "db"`},
		"no rollout":        {func(s *patch.Set) { s.Rollout = "" }, nil, "which no rollout is called"},
		"not in order":      {func(s *patch.Set) { slices.Reverse(s.Items) }, nil, "not in order"},
		"a double":          {func(s *patch.Set) { s.Items = append(s.Items, s.Items[1]) }, nil, "twice"},
		"an unknown field":  {nil, func(t string) string { return strings.Replace(t, `"rollout"`, `"hooks":["reboot"],"rollout"`, 1) }, "unknown field"},
		"an unknown word":   {nil, func(t string) string { return strings.Replace(t, `"level"`, `"script"`, 1) }, "unknown field"},
		"something behind":  {nil, func(t string) string { return t + "{}" }, "something follows"},
		"an option":         {func(s *patch.Set) { s.Items[0].Package = "-oDPkg::Pre-Invoke::=reboot" }, nil, "no name, version or architecture"},
		"an option as arch": {func(s *patch.Set) { s.Items[0].Arch = "--yes" }, nil, "no name"},
		"a version of two":  {func(s *patch.Set) { s.Items[0].Version = "1 curl=2" }, nil, "no name"},
		"no version":        {func(s *patch.Set) { s.Items[0].Version = "" }, nil, "no name"},
		"not JSON":          {nil, func(string) string { return "<html>" }, "cannot read the patch set"},
	} {
		t.Run(name, func(t *testing.T) {
			want := goodSet()
			if c.edit != nil {
				c.edit(&want)
			}
			raw, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			if c.text != nil {
				raw = []byte(c.text(string(raw)))
			}
			got, err := Set("web", inventory.Digest(raw), raw)
			if c.says == "" && (err != nil || !slices.Equal(got.Items, want.Items)) {
				t.Errorf("Set = %+v, %v", got, err)
			}
			if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("Set = %v, want %q", err, c.says)
			}
			if _, err := Set("web", inventory.Digest(nil), raw); err == nil || !strings.Contains(err.Error(), "has the digest") {
				t.Errorf("under another digest: %v", err)
			}
		})
	}
}

func TestGrants(t *testing.T) {
	digest := strings.Repeat("a", 64)
	fine := protocol.PatchGrant{Rollout: "web", Cycle: 1, Set: digest}
	with := func(edit func(*protocol.PatchGrant)) []protocol.PatchGrant {
		g := fine
		edit(&g)
		return []protocol.PatchGrant{g, {Rollout: "last", Cycle: 1, Set: digest}}
	}
	many := make([]protocol.PatchGrant, MaxGrants+5)
	for i := range many {
		many[i] = protocol.PatchGrant{Rollout: fmt.Sprint("r", i), Cycle: 1, Set: digest}
	}
	for name, c := range map[string]struct {
		list []protocol.PatchGrant
		want int
		says string
	}{
		"none":               {nil, 0, ""},
		"fine":               {[]protocol.PatchGrant{fine}, 1, ""},
		"an umlaut":          {with(func(g *protocol.PatchGrant) { g.Rollout = "früh_1-a" }), 2, ""},
		"a path":             {with(func(g *protocol.PatchGrant) { g.Rollout = "../web" }), 1, "which no rollout is called"},
		"a path as a digest": {with(func(g *protocol.PatchGrant) { g.Set = "../../etc/passwd" }), 1, "no usable patch set"},
		"no cycle":           {with(func(g *protocol.PatchGrant) { g.Cycle = 0 }), 1, "no usable patch set"},
		"twice":              {[]protocol.PatchGrant{fine, fine}, 1, "two patch cycles"},
		"too many":           {many, MaxGrants, "are the most"},
	} {
		got, err := Grants(protocol.Lease{Patches: c.list})
		if len(got) != c.want || (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: Grants = %d, %v; want %d, %q", name, len(got), err, c.want, c.says)
		}
	}
}

func FuzzSet(f *testing.F) {
	good, err := json.Marshal(goodSet())
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(good), "{}", `{"rollout":"web","items":null}`, `{"rollout":"web","items":[{}]}`, `{"rollout":"web"}{}`, "[", `{"Rollout":"web","rollout":"db"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		set, err := Set("web", inventory.Digest(raw), raw)
		if err != nil {
			return
		}
		if set.Rollout != "web" || !slices.Equal(set.Items, set.Normal().Items) {
			t.Errorf("%q was taken as %+v", raw, set)
		}
		for _, i := range set.Items {
			if strings.HasPrefix(i.Package, "-") || strings.ContainsAny(i.Package+i.Version+i.Arch, " =\n\x00") {
				t.Errorf("%+v was taken for an item", i)
			}
		}
	})
}
