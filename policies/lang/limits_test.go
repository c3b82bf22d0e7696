package lang

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"plumb/policies/bundle"
)

// Each of these ends the process, or fills the memory of the machine, in hcl alone.
func TestBombs(t *testing.T) {
	nests := map[string]func(n int) string{
		"open brackets":       func(n int) string { return strings.Repeat("[", n) },
		"open parentheses":    func(n int) string { return strings.Repeat("(", n) },
		"open minus brackets": func(n int) string { return strings.Repeat("[-", n) },
		"open not parens":     func(n int) string { return strings.Repeat("!(", n) },
		"open calls":          func(n int) string { return strings.Repeat("f(", n) },
		"open templates":      func(n int) string { return strings.Repeat(`"${`, n) },
		"open objects":        func(n int) string { return strings.Repeat("{a=", n) },
		"open loops":          func(n int) string { return strings.Repeat("[for x in ", n) },
		"open heredocs":       func(n int) string { return strings.Repeat("<<E\n${", n) },
		"open directives":     func(n int) string { return `"` + strings.Repeat("%{if true}", n) },
		"brackets":            func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) },
		"parentheses":         func(n int) string { return strings.Repeat("(", n) + "1" + strings.Repeat(")", n) },
		"not":                 func(n int) string { return strings.Repeat("!", n) + "true" },
		"not on lines":        func(n int) string { return "(" + strings.Repeat("!\n", n) + "true)" },
		"minus":               func(n int) string { return strings.Repeat("- ", n) + "1" },
		"templates":           func(n int) string { return strings.Repeat(`"${`, n) + "1" + strings.Repeat(`}"`, n) },
		"splats":              func(n int) string { return "[]" + strings.Repeat("[*]", n) },
		"attribute splats":    func(n int) string { return "[]" + strings.Repeat(".*", n) },
		"indexes":             func(n int) string { return "[]" + strings.Repeat("[1-1]", n) },
		"plus":                func(n int) string { return strings.Repeat("1+", n) + "1" },
		"plus on lines":       func(n int) string { return "(" + strings.Repeat("1 +\n", n) + "1)" },
		"conditionals":        func(n int) string { return strings.Repeat("true?1:", n) + "1" },
		"conditions":          func(n int) string { return "true" + strings.Repeat("?true:true", n) },
		"mixed closers":       func(n int) string { return strings.Repeat("[)", n) },
		"blocks":              func(n int) string { return "1\n" + strings.Repeat("a {\n", n) + strings.Repeat("}\n", n) },
	}
	for name, nest := range nests {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1 << 10, 16 << 10, 60 << 10, 256 << 10, 1 << 20} {
				src := "locals {\n  x = " + nest(size/len(nest(1))+600) + "\n}\n"
				for file, text := range map[string]string{"site.hcl": src, "t.tmpl": nest(size/len(nest(1)) + 600)} {
					tree := bundle.Tree{file: []byte(text)}
					if file == "t.tmpl" {
						tree["t.tmpl"] = []byte("${" + text + "}")
						tree["site.hcl"] = []byte(`locals { x = templatefile("t.tmpl", {}) }`)
					}
					problems := problemsOf(tree, debian())
					if len(problems) == 0 || slices.Contains(summaries(problems), internalSummary) {
						t.Fatalf("%d bytes in %s: problems = %v, want a diagnostic", len(text), file, summaries(problems))
					}
				}
			}
		})
	}
}

func TestJSONBombs(t *testing.T) {
	nests := map[string]string{
		"brackets":  `{"locals": {"x": ` + strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000) + `}}`,
		"open":      `{"locals": {"x": ` + strings.Repeat("[", 60_000),
		"objects":   `{"locals": {"x": ` + strings.Repeat(`{"a":`, 9_000) + "1" + strings.Repeat("}", 9_000) + `}}`,
		"templates": `{"locals": {"x": "${` + strings.Repeat("[", 50_000) + `}"}}`,
		"escaped":   `{"locals": {"x": "${` + strings.Repeat(`\u005b`, 9_000) + `}"}}`,
		"not":       `{"locals": {"x": "${` + strings.Repeat("!", 50_000) + `true}"}}`,
		"keys":      `{"locals": {"x": {"${` + strings.Repeat("[", 50_000) + `}": 1}}}`,
		"number":    `{"locals": {"x": 1e999999999}}`,
		"for":       `{"locals": {"x": "${[for a in [1] : [for b in [1] : [for c in [1] : c]]]}"}}`,
	}
	for name, src := range nests {
		if problems := problemsOf(bundle.Tree{"a.hcl.json": []byte(src)}, debian()); len(problems) == 0 {
			t.Errorf("%s: no problem, want a diagnostic", name)
		}
	}
}

// All that may be written must still be possible, or the limits are of no use.
func TestBelowLimits(t *testing.T) {
	cases := map[string]string{
		"brackets":  strings.Repeat("[", 60) + strings.Repeat("]", 60),
		"or":        strings.Repeat("true || ", 200) + "false",
		"templates": `"` + strings.Repeat(`${"a"}`, 500) + `"`,
		"list":      "[\n" + strings.Repeat("  !true, -1, [1][0],\n", 500) + "]",
		"object":    "{\n" + lines(500, "  a%d = !true ? -1 : 2\n") + "}",
		"two fors":  `[for a in range(100) : [for b in range(100) : a * b]]`,
		"both":      `{ x = [for a in [1] : a], y = [for a in [1] : [for b in [2] : b]], z = "%{ for a in [1] }${a}%{ endfor }" }`,
	}
	for name, e := range cases {
		if problems := problemsOf(site("locals {\n  x = "+e+"\n}\n"), debian()); len(problems) > 0 {
			t.Errorf("%s: problems = %v, want none", name, problems)
		}
	}
}

func lines(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func TestCostly(t *testing.T) {
	big := `x = join("", [for i in range(1000) : "` + strings.Repeat("a", 1000) + `"])` + "\n"
	cases := map[string]struct{ locals, want string }{
		"three fors":         {`x = [for a in [1] : [for b in [1] : [for c in [1] : 1]]]`, "Too many nested for expressions"},
		"for in templates":   {`x = [for a in [1] : [for b in [1] : "%{ for c in [1] }${c}%{ endfor }"]]`, "Too many nested for expressions"},
		"huge number":        {`x = 1e999999999`, "Number out of range"},
		"long number":        {`x = 1` + strings.Repeat("0", 100), "Number out of range"},
		"product of numbers": {"x = " + strings.Repeat("1e300 * ", 100) + "1", "Value too large"},
		"power":              {`x = pow(10, 400)`, "Error in function call"},
		"loops multiply":     {"a = [for i in range(1000) : [for j in range(1000) : i]]\nx = [for i in range(1000) : [for j in range(1000) : i]]", "Too much work"},
		"product of sets":    {`x = setproduct(range(1000), range(1000))`, "Error in function call"},
		"wide format":        {`x = format("%999999999d", 1)`, "Error in function call"},
		"format of lists":    {big + `y = formatlist("%s%s%s%s%s%s%s%s%s%s", range(1000), local.x, local.x, local.x, local.x, local.x, local.x, local.x, local.x, local.x)`, "Error in function call"},
		"indent":             {`x = indent(1000000000, "a\nb")`, "Error in function call"},
		"replace":            {big + `y = replace(local.x, "", local.x)`, "Error in function call"},
		"replace by pattern": {big + `y = replace(local.x, "/a/", "$0$0$0$0$0$0")`, "Error in function call"},
		"join":               {big + `y = join(local.x, range(100))`, "Error in function call"},
		"text":               {big + `y = "${local.x}${local.x}"`, "Value too large"},
		"templates":          {big + `y = "` + strings.Repeat("${local.x}", 300) + `"`, "Too much text"},
		"laughs":             {laughs(), "Value too large"},
		"json":               {`x = jsondecode(join("", [for i in range(1000) : "["]))`, "Error in function call"},
		"long chain":         {chain(), "References nested too deeply"},
		"deep value":         {deepValue(), "Value too large"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			problems := problemsOf(site("locals {\n"+c.locals+"\n}\n"), debian())
			if !slices.Contains(summaries(problems), c.want) {
				t.Errorf("problems = %v, want %q", problems, c.want)
			}
		})
	}
}

// laughs is a value that is ten times itself, ten times.
func laughs() string {
	src := "x0 = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n"
	for i := range 10 {
		one := fmt.Sprintf("local.x%d, ", i)
		src += fmt.Sprintf("x%d = [%s]\n", i+1, strings.Repeat(one, 10))
	}
	return src
}

func chain() string {
	src := ""
	for i := range 300 {
		src += fmt.Sprintf("c%d = local.c%d\n", i, i+1)
	}
	return src + "c300 = 1\n"
}

func deepValue() string {
	src := "d0 = [1]\n"
	for i := range 80 {
		src += fmt.Sprintf("d%d = [local.d%d]\n", i+1, i)
	}
	return src
}

func TestTooManyResources(t *testing.T) {
	policy := `resource "directory" "d%d" {
    for_each = { for i in range(1000) : "k${i}" => i }
    path     = "/srv/%[1]d/${each.key}"
  }
`
	src := "policy \"p\" {\n" + lines(21, policy) + "}\n"
	problems := problemsOf(site(src), debian())
	if got := summaries(problems); !slices.Equal(got, []string{"Too many resources"}) {
		t.Errorf("problems = %v, want Too many resources once", got)
	}
}

func TestLargeFile(t *testing.T) {
	problems := problemsOf(site(strings.Repeat("# comment\n", 10_000)), debian())
	if got := summaries(problems); !slices.Equal(got, []string{"File too large"}) {
		t.Errorf("problems = %v, want File too large", got)
	}
}

func TestFunctionsShareABudget(t *testing.T) {
	s := newScope(loaded(t, site("")), debian(), false)
	s.budget.work = 300
	for i := range 3 {
		_, err := s.library()["upper"].Call([]cty.Value{cty.StringVal(strings.Repeat("x", 100))})
		if (err != nil) != (i == 2) {
			t.Errorf("call %d: error = %v, want one with the third call only", i, err)
		}
	}
}
