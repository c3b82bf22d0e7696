package lang

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"plumb/policies"
	"plumb/policies/bundle"
)

func seeds(f *testing.F) {
	f.Helper()
	for _, pattern := range []string{"testdata/errors/*.hcl*", "testdata/valid/*/*.hcl*"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(src))
		}
	}
}

// judgeProblems holds for whatever text: no internal error, and every problem has a place.
func judgeProblems(t *testing.T, problems []policies.Problem) {
	for _, p := range problems {
		if p.Summary == internalSummary || p.Summary == "" || (p.File == "" && p.Summary != "Too many mistakes") {
			t.Fatalf("problem %+v", p)
		}
	}
}

func FuzzLoad(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src string) {
		for _, name := range []string{"a.hcl", "a.hcl.json"} {
			_, problems := Load(bundle.Tree{name: []byte(src)})
			judgeProblems(t, problems)
		}
	})
}

// FuzzCompile has what is drawn as an expression, and as a template.
func FuzzCompile(f *testing.F) {
	for _, e := range []string{`"${fact.os.id}"`, `templatefile("t.tmpl", { a = 1 })`, `[for k, v in fact.packages : v if k != "a"][0]`,
		`try(host.labels.none, "x")`, `replace("aaa", "/a/", "b")`, `cidrsubnets("10.0.0.0/8", 4, 4)[1]`, `format("%5.1f|%[1]v", 3)`,
		`jsonencode({ a = [1, null, true], b = sensitive("x") })`, `formatlist("%s-%s", ["a", "b"], "c")`, `chunklist(range(10), 3)[0][1]`,
		`element(sort(keys(fact.packages)), 5)`, `setproduct(["a"], ["b"])`, `type({ a = 1 })`, `cidrhost("fe80::/64", -1)`, `regexall("a(?P<x>b)", "abab")[0].x`,
		`csvdecode("a,b\n1,2")[0].a`, `merge({ a = 1 }, { b = 2 }).b`, `transpose({ a = ["b"] }).b[0]`, `parseint("ff", 16)`, `substr("héllo", -2, 2)`} {
		f.Add(e, "${1 + 1} %{ for x in [1, 2] }${x}%{ endfor }")
	}
	f.Fuzz(func(t *testing.T, e, template string) {
		tree := bundle.Tree{"t.tmpl": []byte(template), "a.hcl": []byte(
			"policy \"p\" {\n  resource \"file\" \"f\" {\n    path = \"/f\"\n    content = templatefile(\"t.tmpl\", {})\n  }\n" +
				"  resource \"file\" \"g\" {\n    path = \"/g\"\n    content = " + e + "\n  }\n}\n")}
		c, problems := Load(tree)
		judgeProblems(t, problems)
		if slices.ContainsFunc(problems, func(p policies.Problem) bool { return p.Severity == "error" }) {
			return
		}
		first, second := c.Compile(debian()), c.Compile(debian())
		judgeProblems(t, first.Problems)
		_, a, err := Digest(first.Catalog)
		_, b, _ := Digest(second.Catalog)
		if err != nil || a != b {
			t.Fatalf("digests %s and %s, %v", a, b, err)
		}
	})
}
