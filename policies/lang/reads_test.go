package lang

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plumb/policies/bundle"
)

func TestReadsAndKey(t *testing.T) {
	src := `
group "web" { match = host.labels.role == "web" }
group "few" { 
  sample { percent = 50 } 
}
policy "p" {
  resource "directory" "d" {
    path = "/${fact.os.id}/${fact.packages["openssh-server"]}"
    when = group.web
  }
}
host "special" {}
`
	c := loaded(t, site(src))
	out := c.Compile(debian())
	want := []string{`fact.os.id`, `fact.packages["openssh-server"]`, "host block", "host.labels.role", "sample few"}
	if diff := cmp.Diff(want, out.Reads); diff != "" {
		t.Fatalf("Reads (-want +got):\n%s", diff)
	}
	key := c.Key(debian(), out.Reads)
	other := debian()
	other.Facts["arch"] = "arm64"
	other.Host.Labels["site"] = "south"
	if c.Key(other, out.Reads) != key {
		t.Error("Key() changed with a fact and a label that nothing reads")
	}
	changes := map[string]func(*Input){
		"fact":    func(in *Input) { in.Facts["os"] = map[string]any{"id": "ubuntu"} },
		"missing": func(in *Input) { in.Facts["packages"] = map[string]any{} },
		"label":   func(in *Input) { in.Host.Labels["role"] = "db" },
		"block":   func(in *Input) { in.Host.Name = "special" },
	}
	for name, change := range changes {
		in := debian()
		change(&in)
		if c.Key(in, out.Reads) == key {
			t.Errorf("Key() did not change with the %s", name)
		}
	}
}

// TestKeyApart holds that hosts with one key by KeyApart have one by the tree's own.
func TestKeyApart(t *testing.T) {
	for name, tree := range map[string]string{
		"host block": `group "g" { match = host.labels.role == "web" }
			host "special" { labels = { role = "web" } }`,
		"sample": `group "g" {
			sample { percent = 50 }
		}`,
		"fact": `group "g" { match = fact.os.id == "debian" }`,
	} {
		t.Run(name, func(t *testing.T) {
			c := loaded(t, site(tree))
			reads := c.Compile(debian()).Reads
			rapid.Check(t, func(t *rapid.T) {
				a, b := drawInput(t), drawInput(t)
				if KeyApart(a, reads) == KeyApart(b, reads) && c.Key(a, reads) != c.Key(b, reads) {
					t.Errorf("KeyApart() is the same for %v and %v, and Key() is not", a, b)
				}
			})
		})
	}
	other := debian()
	other.Host.Name, other.Host.Labels["site"], other.Facts["arch"] = "web9", "south", "arm64"
	if reads := []string{"fact.os.id", "host.labels.role"}; KeyApart(other, reads) != KeyApart(debian(), reads) {
		t.Error("KeyApart() changed with what nothing reads")
	}
}

func drawInput(t *rapid.T) Input {
	in := debian()
	in.Host.Name = rapid.SampledFrom([]string{"web1", "web2", "web3", "special"}).Draw(t, "name")
	in.Host.Labels["role"] = rapid.SampledFrom([]string{"web", "db"}).Draw(t, "role")
	in.Facts["os"] = map[string]any{"id": rapid.SampledFrom([]string{"debian", "ubuntu"}).Draw(t, "os")}
	return in
}

func TestPathsOfReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := append([]string{"fact"}, rapid.SliceOf(rapid.String()).Draw(t, "steps")...)
		if got := splitPath(joinPath(steps)); !slices.Equal(got, steps) {
			t.Errorf("splitPath(%q) = %q, want %q", joinPath(steps), got, steps)
		}
	})
}

// The catalog is a function of tree, host and facts, whatever the order of Go's maps.
func TestDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := drawTree(t)
		_, first := digestOf(tree)
		for range 3 {
			shuffled := bundle.Tree{}
			maps.Copy(shuffled, tree)
			if _, again := digestOf(shuffled); again != first {
				t.Fatalf("digest = %s and then %s for %s", first, again, tree["site.hcl"])
			}
		}
	})
}

func digestOf(tree bundle.Tree) (Output, string) {
	c, problems := Load(tree)
	if len(problems) > 0 {
		return Output{}, fmt.Sprint(problems)
	}
	out := c.Compile(debian())
	_, digest, _ := Digest(out.Catalog)
	return out, digest + fmt.Sprint(out.Problems, out.Reads, out.Groups)
}

// drawTree makes some folders and files that refer to each other.
func drawTree(t *rapid.T) bundle.Tree {
	n := rapid.IntRange(1, 6).Draw(t, "resources")
	var b strings.Builder
	fmt.Fprintf(&b, "locals { names = { b = %q, a = fact.os.id, c = host.name } }\npolicy \"p\" {\n", rapid.StringMatching("[a-z]{1,5}").Draw(t, "name"))
	for i := range n {
		kind := rapid.SampledFrom([]string{"file", "directory"}).Draw(t, "kind")
		each := rapid.SampledFrom([]string{"", "for_each = local.names\n"}).Draw(t, "each")
		path := fmt.Sprintf("/r%d", rapid.IntRange(0, n).Draw(t, "path"))
		if each != "" {
			path += "/${each.value}"
		}
		word := rapid.SampledFrom(refNames).Draw(t, "word")
		refs := []string{}
		for range rapid.IntRange(0, 2).Draw(t, "refs") {
			refs = append(refs, fmt.Sprintf("%s.x%d", rapid.SampledFrom([]string{"file", "directory"}).Draw(t, "target"), rapid.IntRange(0, n-1).Draw(t, "number")))
		}
		fmt.Fprintf(&b, "resource %q \"x%d\" {\n%s path = %q\n %s = [%s]\n}\n", kind, i, each, path, word, strings.Join(refs, ", "))
	}
	return site(b.String() + "}\n")
}
