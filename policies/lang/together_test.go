package lang

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumb/policies"
	"plumb/policies/bundle"
)

// What many instances come to is the same on one processor and on many, in every word.
func TestTogetherIsAsInOrder(t *testing.T) {
	const head = `
variable "x" { default = "y" }
locals {
  a  = upper(var.x)
  id  = fact.os.id
}
group "linux" { match = fact.os.kernel == "linux" }
policy "p" {
  resource "file" "f" {
    path = "/srv/${%s}"
%s
  }
}
`
	cases := map[string]struct{ path, body, problem string }{
		"count":                      {"count.index", `count = 300` + "\n" + `content = "${local.a} ${count.index}"`, ""},
		"for each":                   {"each.key", `for_each = { for i in range(300) : "k${i}" => i }` + "\n" + `content = each.value % 7 == 3 ? fact.os.id : host.name`, ""},
		"facts":                      {"count.index", `count = 300` + "\n" + `content = count.index == 250 ? fact.os.family : local.id`, ""},
		"a group":                    {"count.index", `count = 300` + "\n" + `content = group.linux ? "yes" : "no"`, ""},
		"not applicable":             {"count.index", `count = 300` + "\n" + `when = count.index < 200`, ""},
		"a template":                 {"count.index", `count = 100` + "\n" + `content = templatefile("t.tftpl", { n = count.index })`, ""},
		"a fact that only some read": {"count.index", `count = 300` + "\n" + `when = count.index > 200` + "\n" + `content = fact.os.family`, ""},
		"a mistake":                  {"count.index", `count = 300` + "\n" + `mode = count.index == 211 ? "x" : "0644"`, "Invalid value"},
		"a mistake of each":          {"count.index", `count = 300` + "\n" + `mode = "x${count.index}"`, "Invalid value"},
		"a mistake with facts":       {"count.index", `count = 300` + "\n" + `mode = count.index == 270 ? fact.os.id : "0644"`, "Invalid value"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tree := bundle.Tree{"site.hcl": fmt.Appendf(nil, head, c.path, c.body), "t.tftpl": []byte("number ${n}\n")}
			want, problems := on(1, tree)
			if (len(problems) > 0) != (c.problem != "") || !slices.Contains(append(summaries(problems), ""), c.problem) {
				t.Fatalf("problems = %v, want %q", problems, c.problem)
			}
			got, other := on(4, tree)
			if diff := cmp.Diff(problems, other) + cmp.Diff(want, got); diff != "" {
				t.Errorf("on four processors (-one +four):\n%s", diff)
			}
		})
	}
}

// on is what a tree comes to on so many processors.
func on(processors int, tree bundle.Tree) (Output, []policies.Problem) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
	c, problems := Load(tree)
	if len(problems) > 0 {
		return Output{}, problems
	}
	out := c.Compile(debian())
	return out, out.Problems
}

// What the expressions may do is counted as if they were worked out one after the other: past it the
// same instances fail, and what some of them read together is not counted twice.
func TestTogetherKeepsToTheBudget(t *testing.T) {
	c := loaded(t, bundle.Tree{"site.hcl": []byte(`
locals { big = length([for i in range(80) : fact.cpus]) }
policy "p" {
  resource "file" "e" {
    count   = 100
    path    = "/e/${count.index}"
    content = tostring(length([for i in range(9) : fact.cpus]))
  }
  resource "file" "f" {
    count   = 100
    when    = count.index > 50
    path    = "/srv/${count.index}"
    content = "${local.big} ${length([for i in range(9) : i])}"
  }
  resource "file" "last" {
    path    = "/last"
    content = tostring(length([for i in range(40) : fact.cpus]))
  }
}
`)})
	for _, turns := range []int{100, 990, 1000, 1400, 1612, 1613, 1690, 10_000} {
		want := mistakes(c, 1, turns)
		if (want == 0) != (turns > 1612) {
			t.Errorf("with %d turns there are %d mistakes; 1,612 are needed and one must be left", turns, want)
		}
		if got := mistakes(c, 4, turns); got != want {
			t.Errorf("with %d turns there are %d mistakes on four processors, want %d", turns, got, want)
		}
	}
}

// mistakes counts those of a host whose expressions may run so many turns.
func mistakes(c *Config, processors, turns int) int {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
	r := newRun(c, debian(), false)
	r.budget.iterations = turns
	r.all()
	return len(r.diags)
}
