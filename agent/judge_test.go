package agent

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/bundle"
)

func result(pairs ...string) *policies.Result {
	r := &policies.Result{}
	for i := 0; i < len(pairs); i += 2 {
		r.Resources = append(r.Resources, policies.ResourceResult{Address: pairs[i], Status: policies.Status(pairs[i+1])})
	}
	return r
}

func TestRegressions(t *testing.T) {
	for name, c := range map[string]struct {
		before, after *policies.Result
		want          string
	}{
		"all well":               {result("a", "compliant"), result("a", "repaired"), ""},
		"broke":                  {result("a", "compliant"), result("a", "error"), "a"},
		"was broken before":      {result("a", "error"), result("a", "error"), ""},
		"new and broken":         {result("a", "compliant"), result("a", "compliant", "b", "error"), "b"},
		"was skipped":            {result("a", "skipped"), result("a", "error"), "a"},
		"waits":                  {result("a", "compliant"), result("a", "pending"), ""},
		"skipped after another":  {result("a", "compliant", "b", "compliant"), result("a", "error", "b", "skipped"), "a"},
		"cannot be told":         {result("a", "compliant"), result("a", "unknown"), ""},
		"noncompliant by design": {result("a", "compliant"), result("a", "noncompliant"), ""},
		"nothing to return to":   {nil, result("a", "error"), ""},
	} {
		var got []string
		for _, one := range regressions(c.before, c.after) {
			got = append(got, one.Address)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: regressions = %v, want %q", name, got, c.want)
		}
	}
}

func TestKeyDependsOnWhatIsRead(t *testing.T) {
	a := &Agent{Version: "1"}
	facts := func(arch, ssh string, custom map[string]any) inventory.Facts {
		return inventory.Facts{Arch: arch, Packages: map[string]string{"openssh-server": ssh, "bash": "5"}, Custom: custom}
	}
	base := facts("amd64", "1", map[string]any{"a.b": map[string]any{"c": "x"}})
	for name, c := range map[string]struct {
		reads []string
		other inventory.Facts
		same  bool
	}{
		"unread fact":       {[]string{"fact.arch"}, facts("amd64", "2", nil), true},
		"read fact":         {[]string{"fact.arch"}, facts("arm64", "1", nil), false},
		"one package":       {[]string{`fact.packages["openssh-server"]`}, facts("amd64", "2", nil), false},
		"another package":   {[]string{`fact.packages["bash"]`}, facts("amd64", "2", nil), true},
		"quoted step":       {[]string{`fact.custom["a.b"].c`}, facts("amd64", "1", map[string]any{"a.b": map[string]any{"c": "y"}}), false},
		"a fact that lacks": {[]string{"fact.custom.none"}, facts("amd64", "1", nil), false},
		"unknown reads":     {nil, facts("amd64", "2", nil), false},
		"all facts":         {[]string{"fact"}, facts("amd64", "2", nil), false},
		"nothing read":      {[]string{}, facts("arm64", "2", nil), true},
	} {
		one, err := a.key("", inventory.Host{}, base, c.reads)
		if err != nil {
			t.Fatal(err)
		}
		two, err := a.key("", inventory.Host{}, c.other, c.reads)
		if err != nil || (one == two) != c.same {
			t.Errorf("%s: same key = %t, want %t (%v)", name, one == two, c.same, err)
		}
	}
}

func TestReadTree(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"main.hcl", "sub/a.hcl", ".git/config", "sub/.git/x"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	got, err := ReadTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := bundle.Tree{"main.hcl": []byte("main.hcl"), "sub/a.hcl": []byte("sub/a.hcl")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tree (-want +got):\n%s", diff)
	}
	if _, err := ReadTree(filepath.Join(dir, "main.hcl")); err == nil {
		t.Error("a file was read as a folder")
	}
}

func TestReach(t *testing.T) {
	token := protocol.Token{People: "p.example:7443", Agents: "a.example:7444", SSH: "s.example:7022"}
	for server, want := range map[string]route{
		"":                        {false, "p.example:7443", "https://a.example:7444"},
		"https://":                {false, "p.example:7443", "https://a.example:7444"},
		"https://10.0.0.1":        {false, "10.0.0.1:7443", "https://10.0.0.1:7444"},
		"https://10.0.0.1:9":      {false, "10.0.0.1:7443", "https://10.0.0.1:9"},
		"ssh://":                  {true, "s.example:7022", "ssh://s.example:7022"},
		"ssh://[2001:db8::1]:22/": {true, "[2001:db8::1]:22", "ssh://[2001:db8::1]:22"},
		"http://x":                {},
		"plumb.example":           {},
		"https://x/path":          {},
	} {
		got, err := reach(token, server)
		if (err != nil) != (want == route{}) || err == nil && got != want {
			t.Errorf("reach(%q) = %+v, %v; want %+v", server, got, err, want)
		}
	}
}

func TestApplyRemembersApart(t *testing.T) {
	r := newRig(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "catalog.json"), r.tree("by hand")["catalog.json"], 0o644); err != nil {
		t.Fatal(err)
	}
	r.agent.Audit = true
	last, err := r.agent.Apply(context.Background(), dir)
	if err != nil || last.Result.Resources[0].Status != policies.Noncompliant || r.motd() != "" {
		t.Fatalf("audit: %+v, %v, %q", last.Result, err, r.motd())
	}
	r.agent.Audit = false
	for _, want := range []policies.Status{policies.Repaired, policies.Compliant} {
		if last, err = r.agent.Apply(context.Background(), dir); err != nil || last.Result.Resources[0].Status != want {
			t.Fatalf("apply: %+v, %v; want %s", last.Result, err, want)
		}
	}
	if newest, ok, err := r.agent.Newest(); err != nil || !ok || newest.Result.Resources[0].Status != policies.Compliant {
		t.Errorf("Newest = %+v, %t, %v", newest, ok, err)
	}
	_, err = r.agent.Apply(context.Background(), t.TempDir())
	if !isRejected(err) {
		t.Errorf("an empty folder: %v", err)
	}
}
