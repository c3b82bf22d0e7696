package lang

import (
	"strings"
	"testing"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/bundle"
)

// site is a tree with one file.
func site(src string) bundle.Tree { return bundle.Tree{"site.hcl": []byte(src)} }

// debian is a host as an agent describes one.
func debian() Input {
	return Input{
		Host: inventory.Host{ID: "5f0c", Name: "web1", Labels: map[string]string{"role": "web", "site": "north"}},
		Facts: map[string]any{
			"os":       map[string]any{"kernel": "linux", "family": "debian", "id": "debian", "version": "12", "codename": "bookworm"},
			"arch":     "amd64",
			"chassis":  "server",
			"cpus":     float64(4),
			"packages": map[string]any{"openssh-server": "1:9.2p1-2", "nginx": "1.22.1-9"},
			"interfaces": map[string]any{
				"eth0": []any{"10.0.0.7/24", "fe80::1/64"},
			},
			"mounts": map[string]any{},
			"custom": map[string]any{"rack": map[string]any{"row": "b"}},
		},
	}
}

// loaded fails the test when the tree has mistakes.
func loaded(t *testing.T, tree bundle.Tree) *Config {
	t.Helper()
	c, problems := Load(tree)
	mustBeFine(t, problems)
	return c
}

// compiled returns the output of a tree that must be without mistakes.
func compiled(t *testing.T, tree bundle.Tree, in Input) Output {
	t.Helper()
	out := loaded(t, tree).Compile(in)
	mustBeFine(t, out.Problems)
	return out
}

func mustBeFine(t *testing.T, problems []policies.Problem) {
	t.Helper()
	if len(problems) > 0 {
		var b strings.Builder
		Write(&b, problems, false)
		t.Fatalf("unexpected problems:\n%s", b.String())
	}
}

// problemsOf returns the mistakes of a tree, those of loading or else those on one host.
func problemsOf(tree bundle.Tree, in Input) []policies.Problem {
	c, problems := Load(tree)
	if len(problems) > 0 {
		return problems
	}
	return c.Compile(in).Problems
}

func summaries(problems []policies.Problem) []string {
	list := []string{}
	for _, p := range problems {
		list = append(list, p.Summary)
	}
	return list
}

// content returns the content of the file resource of that name.
func content(t *testing.T, out Output, name string) string {
	t.Helper()
	return attr(t, out, "file."+name, "content")
}
