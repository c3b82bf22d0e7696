package lang

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
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
		out, _ := digestOf(drawTree(t))
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
