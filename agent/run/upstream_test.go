package run

import (
	"os"
	"strings"
	"testing"

	"plumb/policies"
)

// What an update did to a file, a package or a service is not somebody's doing.
func TestUpstream(t *testing.T) {
	tool := &policies.Patched{Installed: []policies.PatchedPackage{{Name: "tool", After: "2"}}}
	for name, c := range map[string]struct {
		kind, list string
		between    int // runs between the patch and the drift
		frozen     bool
		want       string
	}{
		"a file of the package":      {"file", "PATH", 0, false, "repaired/upstream"},
		"a file of another one":      {"file", "/etc/other", 0, false, "repaired/corrective"},
		"a longer path":              {"file", "PATH.d", 0, false, "repaired/corrective"},
		"a path above it":            {"file", "/x" + "PATH", 0, false, "repaired/corrective"},
		"long after the patch":       {"file", "PATH", 1, false, "repaired/corrective"},
		"a kind that owns no file":   {"sysctl", "PATH", 0, false, "repaired/corrective"},
		"another architecture's":     {"file", "foreign", 0, false, "repaired/upstream"},
		"in a freeze of the server":  {"file", "PATH", 0, true, "repaired/upstream"},
		"a folder":                   {"directory", "PATH", 0, false, "repaired/upstream"},
		"a service with a unit":      {"service", "/lib/systemd/system/PATH.service", 0, false, "repaired/upstream"},
		"the package":                {"package", "", 0, false, "repaired/upstream"},
		"a service that has no unit": {"service", "PATH", 0, false, "repaired/corrective"},
	} {
		t.Run(name, func(t *testing.T) {
			one := &cycle{fares: tool}
			b, res := patches(t, open, one)
			root := t.TempDir()
			before := b.edit
			b.edit = func(r *Runner) { before(r); r.System.Root = root }
			file := b.box("f", func(r *policies.Resource, _ *box) { r.Kind = c.kind })
			path := b.path("f")
			if c.kind == "package" {
				one.fares = &policies.Patched{Installed: []policies.PatchedPackage{{Name: path + ":amd64", After: "2"}}}
			}
			info := root + "/var/lib/dpkg/info/"
			if err := os.MkdirAll(info, 0o755); err != nil {
				t.Fatal(err)
			}
			list, name := "/.\n"+strings.ReplaceAll(c.list, "PATH", path)+"\n/etc/last\n", "tool.list"
			if c.list == "foreign" {
				list, name = path+"\n", "tool:i386.list"
			}
			if err := os.WriteFile(info+name, []byte(list), 0o644); err != nil {
				t.Fatal(err)
			}
			for range 1 + c.between {
				b.run(file, res)
			}
			os.WriteFile(path, []byte("changed"), 0o600)
			ran := b.edit
			b.edit = func(r *Runner) { ran(r); r.Frozen = c.frozen }
			if got := brief(b.run(file)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
