package lang

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumb/policies"
)

// told writes an explained value as people read it: name, value, who gives it, where; what it
// was made of is indented, what lost has a ! in front.
func told(e policies.Explained) string {
	var b strings.Builder
	tell(&b, e, "")
	return b.String()
}

func tell(b *strings.Builder, e policies.Explained, indent string) {
	value := string(e.Value) + e.Words
	switch {
	case e.Sensitive:
		value = "(sensitive)" + value
	case e.Missing:
		value = "(missing)"
	case e.Again:
		value += " (again)"
	}
	at := ""
	if e.At != nil {
		at = fmt.Sprintf(" @%s:%d,%d", e.At.File, e.At.Line, e.At.Column)
	}
	fmt.Fprintf(b, "%s%s = %s | %s%s\n", indent, e.Name, value, e.From, at)
	for _, one := range e.Reads {
		tell(b, one, strings.Replace(indent, "!", " ", 1)+"  ")
	}
	for _, one := range e.Others {
		tell(b, one, strings.Replace(indent, "!", " ", 1)+"! ")
	}
}

// explainedPath explains the path of a directory whose policy stands behind the text.
func explainedPath(t *testing.T, before, path string, extra ...string) policies.Explained {
	t.Helper()
	src := before + "\npolicy \"p\" {\n  resource \"directory\" \"d\" {\n    path = " + path + "\n    " + strings.Join(extra, "\n    ") + "\n  }\n}\n"
	why := loaded(t, site(src)).Explain(debian(), "directory.d.path")
	if why.Explanation == nil {
		// for_each makes instances, of which the tests look at "a".
		why = loaded(t, site(src)).Explain(debian(), `directory.d["a"].path`)
	}
	if why.Explanation == nil || len(why.Explanation.Attributes) != 1 {
		t.Fatalf("Explain() = %+v", why)
	}
	return why.Explanation.Attributes[0]
}

func TestExplainSources(t *testing.T) {
	vars := "variable \"v\" { default = \"/a\" }\n"
	groups := "group \"all\" {\n  match = true\n  vars = { v = \"/g\" }\n}\ngroup \"few\" {\n  match = host.labels.role == \"web\"\n  priority = 7\n  vars = { v = \"/f\" }\n}\n"
	cases := map[string]struct {
		before, path string
		extra        []string
		want         string
	}{
		"written": {"", `"/srv"`, nil, `path = "/srv" | argument of the resource @site.hcl:4,12`},
		"default": {vars, `var.v`, nil, `path = "/a" | argument of the resource @site.hcl:5,12
  var.v = "/a" | default of the variable @site.hcl:1,26`},
		"values": {vars + "values { v = \"/b\" }\n", `var.v`, nil, `path = "/b" | argument of the resource @site.hcl:6,12
  var.v = "/b" | values of the repository @site.hcl:2,14
  ! var.v = "/a" | default of the variable @site.hcl:1,26`},
		"groups": {vars + groups, `var.v`, nil, `path = "/f" | argument of the resource @site.hcl:14,12
  var.v = "/f" | vars of group few, priority 7 @site.hcl:9,16
  ! var.v = "/g" | vars of group all, priority 0 @site.hcl:4,16
  ! var.v = "/a" | default of the variable @site.hcl:1,26`},
		"host": {vars + groups + "host \"web1\" {\n  vars = { v = \"/h/${fact.os.id}\" }\n}\n", `var.v`, nil, `path = "/h/debian" | argument of the resource @site.hcl:17,12
  var.v = "/h/debian" | vars of the host block web1 @site.hcl:12,16
    fact.os.id = "debian" | fact of the host
  ! var.v = "/f" | vars of group few, priority 7 @site.hcl:9,16
  ! var.v = "/g" | vars of group all, priority 0 @site.hcl:4,16
  ! var.v = "/a" | default of the variable @site.hcl:1,26`},
		"locals in locals": {"locals {\n  a = \"/${local.b}${local.b}\"\n  b = fact.os.id\n}\n", `"${local.a}/${local.b}"`, nil, `path = "/debiandebian/debian" | argument of the resource @site.hcl:8,12
  local.a = "/debiandebian" | local value @site.hcl:2,7
    local.b = "debian" | local value @site.hcl:3,7
      fact.os.id = "debian" | fact of the host
  local.b = "debian" (again) | told before`},
		"part of a local": {"locals {\n  a = {\n    x = \"/x\"\n    y = { z = \"/z\" }\n  }\n}\n", `local.a.y.z`, nil, `path = "/z" | argument of the resource @site.hcl:10,12
  local.a.y.z = "/z" | local value @site.hcl:4,15`},
		"missing fact": {"", `try(fact.virtual, "/none")`, nil, `path = "/none" | argument of the resource @site.hcl:4,12
  fact.virtual = (missing) | fact of the host`},
		"labels": {"host \"web1\" {\n  labels = { site = \"south\" }\n}\n", `"/${host.name}/${host.labels.role}/${host.labels.site}"`, nil, `path = "/web1/web/south" | argument of the resource @site.hcl:7,12
  host.name = "web1" | name of the host
  host.labels.role = "web" | label of its enrolment
  host.labels.site = "south" | label of the host block web1 @site.hcl:1,1`},
		"each": {"", `"/${each.key}/${each.value.x}"`, []string{`for_each = { b = { x = "1" }, a = { x = fact.os.id } }`}, `path = "/a/debian" | argument of the resource @site.hcl:4,12
  each.key = "a" | for_each of the resource @site.hcl:5,16
  each.value.x = "debian" | for_each of the resource @site.hcl:5,45
    fact.os.id = "debian" | fact of the host`},
		"group": {"group \"g\" {\n  match = fact.cpus > 2\n  exclude = host.labels.role == \"db\"\n}\n", `group.g ? "/in" : "/out"`, nil, `path = "/in" | argument of the resource @site.hcl:8,12
  group.g = true | group g @site.hcl:2,11
    fact.cpus = 4 | fact of the host
    host.labels.role = "web" | label of its enrolment`},
		"sample": {"group \"g\" {\n  sample {\n    percent = 100\n  }\n}\n", `group.g ? "/in" : "/out"`, nil, `path = "/in" | argument of the resource @site.hcl:9,12
  group.g = true | group g, a sample of 100 % by the name of the host @site.hcl:1,1`},
		"large value": {"", `"/${length(fact.packages)}"`, nil, `path = "/2" | argument of the resource @site.hcl:4,12
  fact.packages = {"nginx":"1.22.1-9","openssh-server":"1:9.2p1-2"} | fact of the host`},
		"names of a for are none": {"", `"/${join("", [for x in ["a"] : x])}"`, nil, `path = "/a" | argument of the resource @site.hcl:4,12`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := told(explainedPath(t, c.before, c.path, c.extra...))
			if diff := cmp.Diff(c.want+"\n", got); diff != "" {
				t.Errorf("explained (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExplainMode(t *testing.T) {
	resource := func(mode string) string {
		return "  resource \"directory\" \"d\" {\n    path = \"/srv\"\n" + mode + "  }\n"
	}
	cases := map[string]struct{ src, want string }{
		"standard": {"policy \"p\" {\n" + resource("") + "}\n", `mode = "enforce" | nothing says otherwise`},
		"policy":   {"policy \"p\" {\n  mode = \"audit\"\n" + resource("") + "}\n", `mode = "audit" | argument of policy p @site.hcl:2,10`},
		"resource": {"policy \"p\" {\n  mode = \"audit\"\n" + resource("    mode = \"enforce\"\n") + "}\n", `mode = "enforce" | argument of the resource @site.hcl:5,12
! mode = "audit" | argument of policy p @site.hcl:2,10`},
		"equal declaration": {"policy \"p\" {\n" + resource("") + "}\npolicy \"q\" {\n" + resource("    mode = \"audit\"\n") + "}\n",
			`mode = "audit" | an equal declaration in policy q, which only audits @site.hcl:7,3
! mode = "enforce" | nothing says otherwise`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			why := loaded(t, site(c.src)).Explain(debian(), "policy.p.directory.d")
			if why.Explanation == nil {
				t.Fatalf("Explain() = %+v", why)
			}
			if diff := cmp.Diff(c.want+"\n", told(why.Explanation.Mode)); diff != "" {
				t.Errorf("mode (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExplainConditions(t *testing.T) {
	src := `group "web" { match = host.labels.role == "web" }
policy "p" {
  applies_to = group.web
  when       = contains(keys(fact.packages), "nginx")
  severity   = "high"
  resource "directory" "d" {
    for_each = toset(["a", "b"])
    path     = "/${each.key}"
    when     = each.key != "b"
    controls = ["cis:1"]
  }
}`
	why := loaded(t, site(src)).Explain(debian(), `directory.d["b"]`)
	if why.Explanation == nil || !why.Explanation.NotApplicable {
		t.Fatalf("Explain() = %+v, want one that is not applicable", why)
	}
	var got string
	for _, one := range append(why.Explanation.Conditions, why.Explanation.Settings...) {
		got += told(one)
	}
	want := `applies_to = true | argument of policy p @site.hcl:3,16
  group.web = true | group web @site.hcl:1,23
    host.labels.role = "web" | label of its enrolment
when = true | argument of policy p @site.hcl:4,16
  fact.packages = {"nginx":"1.22.1-9","openssh-server":"1:9.2p1-2"} | fact of the host
when = false | argument of the resource @site.hcl:9,16
  each.key = "b" | for_each of the resource @site.hcl:7,16
for_each = this one is for ["b"] | argument of the resource @site.hcl:7,16
severity = "high" | argument of policy p @site.hcl:5,16
controls = ["cis:1"] | argument of the resource @site.hcl:10,16
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("conditions and settings (-want +got):\n%s", diff)
	}
}

func TestExplainOverridden(t *testing.T) {
	src := `policy "low" {
  resource "file" "f" {
    path    = "/etc/x"
    content = "low"
  }
}
policy "high" {
  priority = 5
  resource "file" "f" {
    path    = "/etc/x"
    content = "high"
  }
}`
	why := loaded(t, site(src)).Explain(debian(), "policy.low.file.f.content")
	if why.Explanation == nil {
		t.Fatalf("Explain() = %+v", why)
	}
	e := why.Explanation
	if e.Address != "policy.high.file.f" || e.Asked != "policy.low.file.f" || len(e.Overrides) != 1 || e.Overrides[0].Line != 2 || string(e.Attributes[0].Value) != `"high"` {
		t.Errorf("Explain() = %+v, want the declaration that won, and which one was asked for", e)
	}
}

func TestExplainUnknown(t *testing.T) {
	src := `policy "p" {
  resource "directory" "alpha" { path = "/alpha" }
  resource "file" "each" {
    for_each = toset(["a.b", "c"])
    path     = "/${each.key}"
    content  = ""
  }
}
policy "q" {
  resource "file" "each" { path = "/q" }
}`
	c := loaded(t, site(src))
	cases := map[string]string{
		"directory.alpa":         `The host web1 has no resource "directory.alpa". Did you mean policy.p.directory.alpha?`,
		"directory.alpa.path":    `Did you mean policy.p.directory.alpha?`,
		"directory.alpha.pth":    `policy.p.directory.alpha has no attribute "pth" here. Did you mean "path"?`,
		"policy.p.file.each":     `policy.p.file.each stands for several resources: policy.p.file.each["a.b"], policy.p.file.each["c"].`,
		`p.file.each["a.b"].pth`: `policy.p.file.each["a.b"] has no attribute "pth" here. Did you mean "path"?`,
		`file.each["x.y"]`:       `The host web1 has no resource "file.each[\"x.y\"]".`,
		"":                       `The host web1 has no resource "".`,
		".":                      `The host web1 has no resource ".".`,
		"nothing at all":         `The host web1 has no resource "nothing at all".`,
	}
	for address, want := range cases {
		if why := c.Explain(debian(), address); why.Explanation != nil || !strings.Contains(why.Unknown, want) {
			t.Errorf("Explain(%q) = %+v, want %q", address, why, want)
		}
	}
	if why := c.Explain(debian(), "file.each"); why.Explanation == nil && !strings.Contains(why.Unknown, "several") {
		t.Errorf("Explain(file.each) = %+v, want one of them or their names", why)
	}
}

// What does not compile has problems, and no explanation.
func TestExplainProblems(t *testing.T) {
	c := loaded(t, site("policy \"p\" {\n  resource \"directory\" \"d\" { path = fact.virtual }\n}\n"))
	if why := c.Explain(debian(), "directory.d"); why.Explanation != nil || len(why.Problems) != 1 || why.Problems[0].Line != 2 {
		t.Errorf("Explain() = %+v, want one problem", why)
	}
}

// The secret comes by every way there is, and is asked about by every way.
func TestExplainHidesSecrets(t *testing.T) {
	const secret = "hunter2"
	cases := map[string]string{
		"sensitive variable": `variable "pw" {
  sensitive = true
  default   = "hunter2"
}
locals { wrapped = "x-hunter2-${var.pw}" }
policy "p" {
  resource "file" "f" {
    path    = "/etc/x"
    content = "a hunter2 ${var.pw} ${local.wrapped}"
  }
}`,
		"given by host, group and values": `variable "pw" { sensitive = true }
values { pw = "hunter2" }
group "all" {
  match = true
  vars = { pw = "hunter2" }
}
host "web1" {
  vars = { pw = "hunter2" }
}
policy "p" {
  resource "file" "f" {
    path    = "/etc/x"
    content = var.pw
  }
}`,
		"sensitive resource": `locals { pw = "hunter2" }
policy "p" {
  resource "file" "f" {
    path      = "/etc/x"
    content   = "x ${local.pw}"
    sensitive = true
  }
  resource "directory" "d" {
    path = "/srv"
    when = local.pw != "hunter2" || local.deeper.x != "" && "${local.deeper.x}" != ""
  }
}
locals { deeper = { x = local.pw, y = 1 } }`,
		"each": `policy "p" {
  resource "file" "f" {
    for_each  = { a = { pw = "hunter2" } }
    path      = "/etc/${each.key}"
    content   = each.value.pw
    sensitive = true
  }
}`,
		"function": `locals { pw = nonsensitive(length(sensitive("hunter2"))) }
policy "p" {
  resource "directory" "d" { path = "/x/${local.pw}" }
}`,
		"another host's policy": `locals { pw = "hunter2" }
group "none" { match = false }
group "many" { match = local.pw == "hunter2" }
policy "q" {
  applies_to = group.none
  resource "file" "f" {
    path      = "/etc/x"
    content   = local.pw
    sensitive = true
  }
}
policy "p" {
  resource "directory" "d" {
    path = "/srv"
    when = length(local.pw) > 2 && group.many
  }
}`,
	}
	for name, src := range cases {
		t.Run(name, func(t *testing.T) {
			c := loaded(t, site(src))
			out := c.Compile(debian())
			mustBeFine(t, out.Problems)
			for _, one := range out.Catalog.Resources {
				why := c.Explain(debian(), one.Address)
				raw, err := json.Marshal(why)
				if err != nil || why.Explanation == nil {
					t.Fatalf("Explain(%s) = %+v, %v", one.Address, why, err)
				}
				if strings.Contains(string(raw), secret) {
					t.Errorf("the explanation of %s tells the secret:\n%s", one.Address, raw)
				}
			}
		})
	}
}

// Names that read each other many times over must not make an explanation without end.
func TestExplainIsBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("locals {\n  a0 = 1\n")
	for i := 1; i < 60; i++ {
		fmt.Fprintf(&b, "  a%d = max(local.a%d, local.a%d)\n", i, i-1, max(i-2, 0))
	}
	b.WriteString("}\npolicy \"p\" {\n  resource \"directory\" \"d\" { path = \"/${local.a59}\" }\n}\n")
	why := loaded(t, site(b.String())).Explain(debian(), "directory.d")
	raw, err := json.Marshal(why)
	if err != nil || why.Explanation == nil || len(raw) > 1<<20 {
		t.Errorf("%d bytes of explanation, %v, want few", len(raw), err)
	}
}
