package example

import (
	"strings"
	"testing"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/lang"
	"plumb/policies/lang/format"
)

func debian(t *testing.T, name string) lang.Input {
	t.Helper()
	facts, err := inventory.Facts{
		OS:   inventory.OS{Kernel: "linux", Family: "debian", ID: "debian", Version: "12", Codename: "bookworm", Name: "Debian GNU/Linux 12 (bookworm)"},
		Arch: "amd64", Chassis: "server", Init: "systemd", PackageManager: "apt",
		Packages: map[string]string{"openssh-server": "1:9.2p1-2+deb12u3"}, Interfaces: map[string][]string{}, Mounts: map[string]inventory.Mount{},
	}.Tree()
	if err != nil {
		t.Fatal(err)
	}
	return lang.Input{Host: inventory.Host{Name: name, Labels: map[string]string{}}, Facts: facts}
}

func show(problems []policies.Problem) string {
	var b strings.Builder
	lang.Write(&b, problems, false)
	return b.String()
}

func TestExampleCompiles(t *testing.T) {
	c, problems := lang.Load(Example())
	if len(problems) > 0 {
		t.Fatal(show(problems))
	}
	out := c.Compile(debian(t, "web1.example.org"))
	if len(out.Problems) > 0 {
		t.Fatal(show(out.Problems))
	}
	motd := out.Catalog.Find("file.motd")
	if motd == nil || !strings.Contains(string(motd.Attributes), "web-oncall@example.org") {
		t.Errorf("motd = %+v, want the contact of the host block in it", motd)
	}
	if one := out.Catalog.Find(`policy.ssh.sshd_directive.limits["MaxSessions"]`); one == nil || one.Mode != policies.Audit || one.NotApplicable {
		t.Errorf("MaxSessions = %+v, want it audited", one)
	}
}

// A host without facts but the needed ones must compile too: the example is the first thing
// that anybody tries.
func TestExampleOnBareHost(t *testing.T) {
	c, _ := lang.Load(Example())
	in := lang.Input{Host: inventory.Host{Name: "bare"}, Facts: map[string]any{
		"os": map[string]any{"kernel": "linux"}, "arch": "amd64", "chassis": "container", "packages": map[string]any{}}}
	if out := c.Compile(in); len(out.Problems) > 0 {
		t.Fatal(show(out.Problems))
	}
}

// The rollout comes as comments, so that nobody patches by accident; without the number signs
// it has to be as good as the rest.
func TestExampleRollout(t *testing.T) {
	const name = "patches/rollout.hcl"
	tree := Example()
	_, commented, ok := strings.Cut(string(tree[name]), "\n\n")
	if !ok {
		t.Fatalf("%s has no empty line behind its first words", name)
	}
	tree[name] = []byte(uncommented(commented))
	if got, problems := format.Format(tree[name], name); string(got) != string(tree[name]) || len(problems) > 0 {
		t.Errorf("%s is not formatted (%v), want:\n%s", name, problems, got)
	}
	c, problems := lang.Load(tree)
	if len(problems) > 0 {
		t.Fatal(show(problems))
	}
	out := c.Compile(debian(t, "db1.example.org"))
	if one := out.Catalog.Find("rollout.security"); len(out.Problems) > 0 || one == nil || one.Kind != "patch" {
		t.Errorf("rollout.security = %+v, want patches\n%s", one, show(out.Problems))
	}
}

func uncommented(src string) string {
	var b strings.Builder
	for line := range strings.Lines(src) {
		b.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, "#"), " "))
	}
	return b.String()
}

func TestExampleIsFormatted(t *testing.T) {
	for name, src := range Example() {
		if !strings.HasSuffix(name, ".hcl") {
			continue
		}
		if got, problems := format.Format(src, name); string(got) != string(src) || len(problems) > 0 {
			t.Errorf("%s is not formatted (%v), want:\n%s", name, problems, got)
		}
	}
}
