package lang

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumb/policies"
	"plumb/policies/bundle"
)

func attr(t *testing.T, out Output, address, name string) string {
	t.Helper()
	one := out.Catalog.Find(address)
	if one == nil {
		t.Fatalf("the catalog has no %s", address)
	}
	var all map[string]any
	if err := json.Unmarshal(one.Attributes, &all); err != nil {
		t.Fatal(err)
	}
	s, _ := all[name].(string)
	return s
}

func TestWhenAndAppliesTo(t *testing.T) {
	src := `
policy "p" {
  resource "directory" "yes" { path = "/yes" }
  resource "directory" "no" {
    when = fact.os.id == "rocky"
    path = "/no/${fact.missing_here}"
  }
}
policy "elsewhere" {
  applies_to = fact.os.id == "rocky"
  resource "directory" "d" { path = "/d" }
}
policy "later" {
  when = contains(keys(fact.packages), "apache2")
  resource "directory" "d" { path = "/${fact.packages["apache2"]}" }
  resource "directory" "each" { 
    for_each = { a = 1, b = fact.packages["apache2"] }
    path     = "/${each.value}" 
  }
}
`
	src = strings.Replace(src, "fact.missing_here", `fact.custom.missing`, 1)
	out := compiled(t, site(src), debian())
	got := map[string]bool{}
	for _, one := range out.Catalog.Resources {
		got[one.Address] = one.NotApplicable
	}
	want := map[string]bool{"policy.p.directory.yes": false, "policy.p.directory.no": true,
		"policy.later.directory.d": true, "policy.later.directory.each": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("not applicable (-want +got):\n%s", diff)
	}
}

func TestMode(t *testing.T) {
	src := `
policy "p" {
  resource "directory" "d" { path = "/d" }
}
policy "measured" {
  mode = "audit"
  resource "directory" "d" { path = "/a" }
  resource "package" "enforced" { mode = "enforce" }
  resource "file" "audited" {
    path = "/f"
    mode = "audit"
  }
  resource "file" "permissions" {
    path = "/g"
    mode = "0600"
  }
}
`
	out := compiled(t, site(src), debian())
	want := map[string]policies.Mode{"policy.p.directory.d": "enforce", "policy.measured.directory.d": "audit",
		"policy.measured.package.enforced": "enforce", "policy.measured.file.audited": "audit", "policy.measured.file.permissions": "audit"}
	for _, one := range out.Catalog.Resources {
		if one.Mode != want[one.Address] {
			t.Errorf("mode of %s = %s, want %s", one.Address, one.Mode, want[one.Address])
		}
	}
	if got := attr(t, out, "file.permissions", "mode"); got != "0600" {
		t.Errorf("permissions = %q, want 0600", got)
	}
}

func TestMeta(t *testing.T) {
	src := `
policy "p" {
  severity = "high"
  resource "file" "f" {
    for_each = { "a b" = "cis:2", c = "cis:1" }
    path     = "/${each.key}"
    title    = "File ${each.key}"
    controls = ["cis:9", each.value, "cis:9"]
    tags     = ["z", "a"]
    timeout  = "1m30s"
    severity = each.key == "c" ? "low" : null
    retry {
      attempts = 3
      delay    = "10s"
    }
  }
}
`
	out := compiled(t, site(src), debian())
	want := []policies.Resource{
		{Address: `policy.p.file.f["a b"]`, Kind: "file", Policy: "p", Title: "File a b", Mode: "enforce", Controls: []string{"cis:2", "cis:9"},
			Tags: []string{"a", "z"}, Timeout: 90, Retry: &policies.Retry{Attempts: 3, Delay: 10}, Attributes: json.RawMessage(`{"path":"/a b"}`),
			Severity: "high", Source: policies.Position{File: "site.hcl", Line: 4}},
		{Address: `policy.p.file.f["c"]`, Kind: "file", Policy: "p", Title: "File c", Mode: "enforce", Severity: "low", Controls: []string{"cis:1", "cis:9"},
			Tags: []string{"a", "z"}, Timeout: 90, Retry: &policies.Retry{Attempts: 3, Delay: 10}, Attributes: json.RawMessage(`{"path":"/c"}`),
			Source: policies.Position{File: "site.hcl", Line: 4}},
	}
	if diff := cmp.Diff(want, out.Catalog.Resources); diff != "" {
		t.Errorf("Catalog (-want +got):\n%s", diff)
	}
}

func TestMerge(t *testing.T) {
	src := `
policy "one" {
  resource "directory" "a" {
    path     = "/a"
    controls = ["cis:1"]
  }
}
policy "two" {
  mode = "audit"
  resource "directory" "same" {
    path     = "/a"
    controls = ["cis:2"]
  }
  resource "file" "f" {
    path       = "/f"
    depends_on = [directory.same]
  }
}
policy "three" {
  priority = -1
  resource "directory" "other" {
    path  = "/a"
    owner = "nobody"
  }
}
`
	out := compiled(t, site(src), debian())
	one := out.Catalog.Find("policy.one.directory.a")
	want := policies.Resource{Address: "policy.one.directory.a", Kind: "directory", Policy: "one", Mode: "audit", Controls: []string{"cis:1", "cis:2"},
		Attributes: json.RawMessage(`{"path":"/a"}`), Source: policies.Position{File: "site.hcl", Line: 3},
		AlsoDeclared: []policies.Position{{File: "site.hcl", Line: 10}}, Overrides: []policies.Position{{File: "site.hcl", Line: 21}}}
	if diff := cmp.Diff(&want, one); diff != "" {
		t.Errorf("resource (-want +got):\n%s", diff)
	}
	if f := out.Catalog.Find("file.f"); len(out.Catalog.Resources) != 2 || !slices.Contains(f.DependsOn, one.Address) {
		t.Errorf("catalog = %v, DependsOn = %v, want the reference to lead to what was kept", addresses(out), f.DependsOn)
	}
}

func TestSensitive(t *testing.T) {
	src := `
variable "pw" {
  default   = "hunter2"
  sensitive = true
}
locals { line = "password=${var.pw}" }
policy "p" {
  resource "file" "derived" {
    path    = "/a"
    content = templatefile("t.tmpl", { line = local.line })
  }
  resource "file" "public" {
    path    = "/b"
    content = nonsensitive(sha256(var.pw))
  }
  resource "file" "whole" {
    path      = "/c"
    content   = "x"
    sensitive = true
  }
}
`
	tree := site(src)
	tree["t.tmpl"] = []byte("%{ if true ~}\n${line}\n%{ endif ~}\n")
	out := compiled(t, tree, debian())
	want := map[string][]string{"file.derived": {"content"}, "file.public": nil, "file.whole": {"content", "path"}}
	for address, names := range want {
		if got := out.Catalog.Find(address).Sensitive; !slices.Equal(got, names) {
			t.Errorf("Sensitive of %s = %v, want %v", address, got, names)
		}
	}
	if got := content(t, out, "derived"); got != "password=hunter2\n" {
		t.Errorf("content = %q", got)
	}
}

func TestTreeAttribute(t *testing.T) {
	src := `policy "p" {
  resource "file" "f" {
    path   = "/f"
    source = "${path.module}/data/x.bin"
  }
}`
	tree := bundle.Tree{"web/site.hcl": []byte(src), "web/data/x.bin": {0xff, 0}}
	out := compiled(t, tree, debian())
	if got := attr(t, out, "file.f", "source"); got != "web/data/x.bin" {
		t.Errorf("source = %q", got)
	}
	before := attr(t, out, "file.f", "source_digest")
	tree["web/data/x.bin"] = []byte{0xff, 1}
	if after := attr(t, compiled(t, tree, debian()), "file.f", "source_digest"); after == before || len(after) != 64 {
		t.Errorf("source_digest = %q and then %q, want another one when the bytes change", before, after)
	}
}

func TestTestFilesAndJSON(t *testing.T) {
	tree := bundle.Tree{
		"a.test.hcl":      []byte(`this is no policy`),
		"notes/README.md": []byte(`neither`),
		"p.hcl.json": []byte(`{"locals": {"n": ["a", "b"]}, "policy": {"p": {"resource": {
  "file": {"f": {"path": "/f", "content": "%{ for x in local.n }${upper(x)}%{ endfor }", "depends_on": ["directory.d"]}},
  "directory": {"d": {"for_each": "${toset(local.n)}", "path": "/${each.key}"}}}}}}`),
	}
	out := compiled(t, tree, debian())
	if got := content(t, out, "f"); got != "AB" || len(out.Catalog.Resources) != 3 {
		t.Errorf("content = %q, resources = %v", got, addresses(out))
	}
}

// Diagnostics are shown to everybody, so they must not quote what is sensitive.
func TestMistakesKeepSecrets(t *testing.T) {
	cases := map[string]string{
		"function":   `content = format("%d", var.pw)`,
		"conversion": `content = tonumber(var.pw)`,
		"template":   `content = templatefile("t.tmpl", { pw = var.pw })`,
		"parse":      `content = parseint(var.pw, 10)`,
		"version":    `content = version_matches("1", var.pw)`,
		"kind":       `mode = var.pw`,
		"number":     `backup = var.pw`,
		"whole":      `backup = sensitive(2.125)`,
		"meta":       `title = var.pw`,
		"file":       `content = file(var.pw)`,
		"regex":      `content = regex("x${var.pw}", "y")`,
		"source":     `source = var.pw`,
		"operator":   `content = var.pw + 1`,
		"index":      `content = { a = 1 }[var.pw]`,
	}
	for name, line := range cases {
		tree := site("variable \"pw\" {\n  default = \"hun ter2\"\n  sensitive = true\n}\npolicy \"p\" {\n  resource \"file\" \"f\" {\n    path = \"/f\"\n    " + line + "\n  }\n}\n")
		tree["t.tmpl"] = []byte(`${parseint(pw, 10)}`)
		problems := problemsOf(tree, debian())
		if len(problems) == 0 || strings.Contains(fmt.Sprint(problems), "ter2") || strings.Contains(problems[0].Detail, "2.125") {
			t.Errorf("%s: problems = %v, want some without the secret", name, problems)
		}
	}
}
