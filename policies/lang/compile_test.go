package lang

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

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

func addresses(out Output) []string {
	list := []string{}
	for _, one := range out.Catalog.Resources {
		list = append(list, strings.TrimPrefix(one.Address, "policy.p."))
	}
	return list
}

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
		if len(problems) == 0 || strings.Contains(fmt.Sprint(problems), "ter2") {
			t.Errorf("%s: problems = %v, want some without the secret", name, problems)
		}
	}
}

func TestAccessors(t *testing.T) {
	c := loaded(t, site("group \"g\" { match = true }\npolicy \"p\" {}\nhost \"h\" {}\n"))
	want := []Declared{{"g", policies.Position{File: "site.hcl", Line: 1}}, {"p", policies.Position{File: "site.hcl", Line: 2}}, {"h", policies.Position{File: "site.hcl", Line: 3}}}
	if diff := cmp.Diff(want, slices.Concat(c.Groups(), c.Policies(), c.Hosts())); diff != "" {
		t.Errorf("declared (-want +got):\n%s", diff)
	}
}
