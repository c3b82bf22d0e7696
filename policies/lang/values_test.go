package lang

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Where two levels give a variable a value, the later one of this list wins.
func TestVariablePrecedence(t *testing.T) {
	head := `
variable "x" { default = "default" }
group "low" {
  match = true
  vars  = LOW
}
group "high" {
  match    = true
  priority = 10
  vars     = HIGH
}
group "other" {
  match = false
  priority = 20
  vars  = { x = "not a member" }
}
policy "p" {
  resource "file" "f" {
    path    = "/f"
    content = var.x
  }
}
`
	cases := map[string]struct{ low, high, rest, want string }{
		"default":          {"{}", "{}", "", "default"},
		"values":           {"{}", "{}", `values { x = "values" }`, "values"},
		"group":            {`{ x = "low" }`, "{}", `values { x = "values" }`, "low"},
		"higher group":     {`{ x = "low" }`, `{ x = "high" }`, "", "high"},
		"host":             {`{ x = "low" }`, `{ x = "high" }`, `host "web1" { vars = { x = "host" } }`, "host"},
		"another host":     {"{}", "{}", `host "web2" { vars = { x = "host" } }`, "default"},
		"from a fact":      {"{}", "{}", `values { x = fact.os.id }`, "debian"},
		"from a variable":  {"{}", "{}", "variable \"y\" { default = \"y\" }\nvalues { x = var.y }", "y"},
		"number as string": {"{}", "{}", `values { x = 5 }`, "5"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			src := strings.NewReplacer("LOW", c.low, "HIGH", c.high).Replace(head) + c.rest
			if got := content(t, compiled(t, site(src), debian()), "f"); got != c.want {
				t.Errorf("content = %q, want %q", got, c.want)
			}
		})
	}
}

func TestGroupsOfEqualPriorityMayAgree(t *testing.T) {
	src := `variable "x" { default = 1 }
group "a" { 
  match = true
  vars = { x = 2 } 
}
group "b" { 
  match = true
  vars = { x = 2 } 
}
policy "p" { 
  resource "directory" "d" { path = "/${var.x}" } 
}`
	if got := attr(t, compiled(t, site(src), debian()), "directory.d", "path"); got != "/2" {
		t.Errorf("path = %q, want /2", got)
	}
}

func TestGroups(t *testing.T) {
	src := `
group "linux" { match = fact.os.kernel == "linux" }
group "web" { match = group.linux && host.labels.role == "web" }
group "not_web" { match = !group.web }
group "custom" { match = try(fact.custom.rack.row, "") == "b" }
group "excluded" { 
  match   = group.linux
  exclude = [group.not_web, group.web]
}
group "all" { 
  sample { 
    of      = group.linux
    percent = 100
  }
}
group "none" { 
  sample { percent = 0 }
}
group "label" { match = contains(keys(host.labels), "extra") }
host "web1" { labels = { extra = "yes" } }
`
	out := compiled(t, site(src), debian())
	want := []string{"all", "custom", "label", "linux", "web"}
	if diff := cmp.Diff(want, out.Groups); diff != "" {
		t.Errorf("Groups (-want +got):\n%s", diff)
	}
}

// A sample takes about its share, the same hosts each time, and more hosts when it grows.
func TestSample(t *testing.T) {
	small, large := &sample{percent: 5, seed: "s"}, &sample{percent: 20, seed: "s"}
	count := 0
	for i := range 10_000 {
		host := fmt.Sprint("host", i)
		if small.holds(host, "") {
			count++
			if !large.holds(host, "") {
				t.Fatalf("%s is in 5 percent and not in 20", host)
			}
		}
	}
	if count < 400 || count > 600 {
		t.Errorf("5 percent of 10000 hosts are %d", count)
	}
}
