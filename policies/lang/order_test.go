package lang

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plumb/policies/bundle"
)

func addresses(out Output) []string {
	list := []string{}
	for _, one := range out.Catalog.Resources {
		list = append(list, strings.TrimPrefix(one.Address, "policy.p."))
	}
	return list
}

func TestOrder(t *testing.T) {
	src := `
policy "p" {
  resource "service" "nginx" { running = true }
  resource "file" "conf" {
    path   = "/etc/nginx/nginx.conf"
    notify = [service.nginx]
  }
  resource "directory" "etc" { path = "/etc/nginx" }
  resource "package" "nginx" { before = [directory.etc] }
  resource "file" "last" {
    path       = "/last"
    depends_on = [file.many]
  }
  resource "file" "many" {
    count      = 3
    path       = "/many/${count.index}"
    depends_on = [policy.none.directory.d]
  }
  resource "file" "late" {
    path      = "/late"
    subscribe = [file.many[1]]
  }
}
policy "none" {
  applies_to = false
  resource "directory" "d" { path = "/d" }
}
`
	out := compiled(t, site(src), debian())
	order := addresses(out)
	place := map[string]int{}
	for i, one := range order {
		place[one] = i
	}
	for _, pair := range [][2]string{{"package.nginx", "directory.etc"}, {"directory.etc", "file.conf"}, {"file.conf", "service.nginx"},
		{"file.many[0]", "file.last"}, {"file.many[2]", "file.last"}, {"file.many[1]", "file.late"}} {
		if place[pair[0]] >= place[pair[1]] {
			t.Errorf("order = %v, want %s before %s", order, pair[0], pair[1])
		}
	}
	conf, many := out.Catalog.Find("file.conf"), out.Catalog.Find("file.many[1]")
	if !slices.Equal(conf.Notify, []string{"policy.p.service.nginx"}) || !slices.Equal(many.Notify, []string{"policy.p.file.late"}) {
		t.Errorf("Notify = %v and %v", conf.Notify, many.Notify)
	}
	if !slices.Contains(conf.DependsOn, "policy.p.directory.etc") {
		t.Errorf("DependsOn of the file = %v, want its folder by itself", conf.DependsOn)
	}
}

// What somebody wrote beats what follows from the kinds.
func TestExplicitOrderBeatsAutomatic(t *testing.T) {
	src := `
policy "p" {
  resource "directory" "d" {
    path       = "/d"
    depends_on = [file.within]
  }
  resource "file" "within" { path = "/d/f" }
  resource "file" "other" { path = "/d/g" }
}
`
	out := compiled(t, site(src), debian())
	want := []string{"file.within", "directory.d", "file.other"}
	if diff := cmp.Diff(want, addresses(out)); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// Every order respects every dependency.
func TestOrderProperty(t *testing.T) {
	ordered := 0
	rapid.Check(t, func(t *rapid.T) {
		out, _ := digestOf(drawOrdered(t))
		place := map[string]int{}
		for i, one := range out.Catalog.Resources {
			place[one.Address] = i
		}
		for _, one := range out.Catalog.Resources {
			for _, dep := range slices.Concat(one.DependsOn) {
				if at, ok := place[dep]; !ok || at >= place[one.Address] {
					t.Fatalf("%s stands at %d, and %s on which it depends at %d (%t)", one.Address, place[one.Address], dep, at, ok)
				}
				ordered++
			}
		}
	})
	if ordered == 0 {
		t.Error("no drawn tree had a dependency")
	}
}

// drawOrdered draws a tree without mistakes: each resource may refer to any before it.
func drawOrdered(t *rapid.T) bundle.Tree {
	var b strings.Builder
	b.WriteString("policy \"p\" {\n")
	var names []string
	for i := range rapid.IntRange(2, 8).Draw(t, "resources") {
		kind := rapid.SampledFrom([]string{"file", "directory"}).Draw(t, "kind")
		word := rapid.SampledFrom(refNames).Draw(t, "word")
		var refs []string
		if i > 0 {
			refs = rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, min(2, i), rapid.ID).Draw(t, "refs")
		}
		if word == "before" || word == "notify" {
			refs = nil // they would turn the arrow round
		}
		fmt.Fprintf(&b, "resource %q \"x%d\" {\n path = \"/r%d\"\n %s = [%s]\n}\n", kind, i, i, word, strings.Join(refs, ", "))
		names = append(names, fmt.Sprintf("%s.x%d", kind, i))
	}
	return site(b.String() + "}\n")
}
