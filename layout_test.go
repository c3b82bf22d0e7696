package plumb

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"strings"
	"testing"
)

// layers says which of our packages each folder may import, besides itself and what lies
// below it. A folder that is not here fails the test: say first where it belongs.
var layers = map[string][]string{
	"":                  {},
	"inventory":         {},
	"policies":          {"inventory"},
	"policies/bundle":   {},
	"policies/patch":    {"inventory", "policies"},
	"policies/calendar": {},
	"policies/lang":     {"inventory", "policies", "policies/bundle", "modules", "modules/system"},
	"policies/compiler": {"inventory", "policies", "policies/bundle", "policies/lang"},
	"policies/baseline": {"policies/bundle"},
	"modules":           {"inventory", "policies"},
	"agent":             {"inventory", "policies", "modules"},
	"agent/protocol":    {"inventory", "policies"},
	"server":            {"inventory", "policies", "modules", "agent/protocol"},
	"server/authority":  {"inventory", "agent/protocol"},
	"server/repo":       {"policies/bundle"},
	"server/store":      {"inventory", "policies", "agent/protocol"},
	"server/prometheus": {},
	"server/alerts":     {"inventory", "policies", "server/store", "server/rollout"},
	"server/rollout":    {"inventory", "policies", "agent/protocol", "server/store"},
	"server/release":    {"inventory", "policies", "agent/protocol", "server/repo", "server/store", "server/authority", "server/rollout"},
	"server/fleet":      {"inventory", "policies", "agent/protocol", "server/store", "server/authority", "server/advisories"},
	"server/sshd":       {"inventory", "agent/protocol"},
	"server/advisories": {"inventory", "policies", "modules/system"},
	"server/patching":   {"inventory", "policies", "server/store", "server/rollout", "server/advisories"},
	"server/kpi":        {"policies"},
	"server/people":     {"server/store"},
	"server/views":      {"inventory", "policies", "agent/protocol", "server/store", "server/rollout", "server/advisories", "server/patching", "server/kpi"},
	"server/api":        {"inventory", "policies", "agent/protocol", "server/store", "server/fleet", "server/authority", "server/sshd", "server/rollout", "server/views", "server/advisories", "server/patching", "server/kpi", "server/alerts", "server/people"},
	"server/web":        {"inventory", "policies", "agent/protocol", "server/api", "server/store", "server/views", "server/people"},
	"cmd/plumb":         {"inventory", "policies", "modules", "agent/protocol", "server"},
	"cmd/plumb-agent":   {"inventory", "policies", "modules", "agent"},
	"testenv":           {"inventory", "policies", "agent/protocol"},
	"testenv/ports":     {},
	"testenv/browser":   {},
}

// owners says which of our folders may import a library. Whatever has an owner here is
// reached by everybody else through that owner.
var owners = map[string][]string{
	"github.com/gin-gonic/gin":            {"server/api", "server/web"},
	"github.com/hashicorp/hcl/v2":         {"policies/lang"},
	"github.com/zclconf/go-cty":           {"policies/lang"},
	"github.com/go-git/go-git/v5":         {"server/repo"},
	"github.com/spf13/cobra":              {"cmd/plumb"},
	"database/sql":                        {"server/store", "testenv/postgres"},
	"modernc.org/sqlite":                  {"server/store"},
	"modernc.org/libc":                    {"server/store/pagesum"},
	"github.com/jackc/pgx/v5":             {"server/store", "testenv/postgres"},
	"html/template":                       {"server/web"},
	"github.com/prometheus/client_golang": {"server/api"},
	"github.com/coreos/go-systemd/v22":    {"cmd/plumb-agent"},
	"github.com/adhocore/gronx":           {"policies/calendar"},
	"github.com/teambition/rrule-go":      {"policies/calendar"},
	"github.com/chromedp/chromedp":        {"server/web", "testenv"},
	"golang.org/x/crypto/argon2":          {"server/people"},
	"github.com/coreos/go-oidc/v3":        {"server/people"},
	"golang.org/x/oauth2":                 {"server/people"},
	"github.com/go-jose/go-jose/v4":       {"server/people/standin"},
}

type pack struct {
	ImportPath, Name, Dir, Doc string
	Imports                    []string
	TestImports                []string
	XTestImports               []string
	GoFiles                    []string
}

func packages(t *testing.T) []pack {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Name,Dir,Doc,Imports,TestImports,XTestImports,GoFiles", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pack
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pack
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// layer returns the longest folder of the table that holds the package.
func layer(folder string) (string, bool) {
	for f := folder; f != "."; f = path.Dir(f) {
		if _, ok := layers[f]; ok {
			return f, true
		}
	}
	return "", folder == ""
}

func folderOf(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, "plumb"), "/")
}

func TestLayers(t *testing.T) {
	for _, p := range packages(t) {
		own, ok := layer(folderOf(p.ImportPath))
		if !ok {
			t.Errorf("%s: the folder is not in the table of layers", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if inside(imported) && !allowed(own, folderOf(imported)) {
				t.Errorf("%s imports %s, which its layer must not know", p.ImportPath, imported)
			}
		}
	}
}

func inside(importPath string) bool { return strings.HasPrefix(importPath, "plumb/") }

func allowed(own, folder string) bool {
	for _, may := range append([]string{own}, layers[own]...) {
		if under(folder, may) {
			return true
		}
	}
	return false
}

func under(folder, parent string) bool {
	return folder == parent || strings.HasPrefix(folder, parent+"/")
}

func TestOwnersOfLibraries(t *testing.T) {
	for _, p := range packages(t) {
		folder := folderOf(p.ImportPath)
		for _, imported := range p.Imports {
			if lib, folders := owner(imported); lib != "" && !anyUnder(folder, folders) {
				t.Errorf("%s imports %s, which only %s may", p.ImportPath, imported, strings.Join(folders, " and "))
			}
		}
	}
}

func owner(imported string) (string, []string) {
	for lib, folders := range owners {
		if under(imported, lib) {
			return lib, folders
		}
	}
	return "", nil
}

func anyUnder(folder string, parents []string) bool {
	for _, parent := range parents {
		if under(folder, parent) {
			return true
		}
	}
	return false
}

// TestAgentAndServerAreStrangers says again what matters most in the table: neither side
// links the other, so neither can rely on more than the protocol.
func TestAgentAndServerAreStrangers(t *testing.T) {
	for _, p := range packages(t) {
		folder := folderOf(p.ImportPath)
		for _, imported := range append(p.Imports, append(p.TestImports, p.XTestImports...)...) {
			other := folderOf(imported)
			if under(folder, "agent") && under(other, "server") {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
			if under(folder, "server") && under(other, "agent") && !under(other, "agent/protocol") {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 {
			continue
		}
		name := path.Base(p.ImportPath)
		want := "Package " + name + " "
		if p.Name == "main" {
			want = strings.ToUpper(name[:1]) + name[1:] + " " // as the standard library's commands have it
		}
		if !strings.HasPrefix(p.Doc, want) {
			t.Errorf("%s: its package comment has to begin with %q", p.ImportPath, want)
		}
	}
}

func TestNoDrawerForOddments(t *testing.T) {
	for _, p := range packages(t) {
		switch path.Base(p.ImportPath) {
		case "util", "utils", "common", "helpers", "pkg", "misc", "shared":
			t.Errorf("%s: a package is a noun that owns something", p.ImportPath)
		}
	}
}

func TestTopLevelIsWhatWasAgreed(t *testing.T) {
	known := map[string]bool{}
	for _, name := range strings.Fields(`server agent modules inventory policies testenv cmd docs .ci .git .gitignore .golangci.yml
		go.mod go.sum Makefile Vagrantfile README.md CONTRIBUTING.md CHANGELOG.md LICENSE layout_test.go doc.go tools bin`) {
		known[name] = true
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !known[e.Name()] {
			t.Errorf("%s at the top level: it belongs into one of the folders", e.Name())
		}
	}
}
