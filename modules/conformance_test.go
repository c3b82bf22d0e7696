package modules

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"plumb/modules/system"
	"plumb/policies"
)

// sample is one situation in which a kind is put: a host, and what is wanted of it.
// The suite expects that Check finds something, that Apply mends it, and that a second
// Check finds nothing; fine, wantErr and noApply say otherwise.
type sample struct {
	// attributes is the JSON of the catalog. $ROOT in it is the root folder.
	attributes string
	// files makes the root folder: name to content, "dir", or "-> target".
	files map[string]string
	// host builds the host itself where files are not enough; it may skip the test.
	host func(t *testing.T) *system.System
	// live runs on this very host instead of below the root, as commands must.
	live bool
	// fine means that Check finds nothing.
	fine bool
	// wantErr is what Check must return.
	wantErr error
	// noApply says why Apply is not tried.
	noApply string
}

// wrong is a declaration that Validate must refuse, and the attribute it must blame.
type wrong struct {
	attributes, blames string
}

func caseName(k Kind) string {
	if k.Check {
		return "check." + k.Name
	}
	return k.Name
}

func TestEveryKindHasSamples(t *testing.T) {
	known := map[string]bool{}
	for _, k := range written() {
		known[caseName(k)] = true
		if len(samples()[caseName(k)]) == 0 || len(mistakes()[caseName(k)]) == 0 {
			t.Errorf("the kind %s has no samples or no mistakes in conformance_cases_test.go", caseName(k))
		}
	}
	for name := range samples() {
		if !known[name] {
			t.Errorf("there are samples of %s, but no such kind", name)
		}
	}
}

func TestConformance(t *testing.T) {
	for _, k := range written() {
		for name, s := range samples()[caseName(k)] {
			t.Run(caseName(k)+"/"+name, func(t *testing.T) { conform(t, k, s) })
		}
	}
}

func conform(t *testing.T, k Kind, s sample) {
	sys, root := s.build(t)
	r := s.resource(t, k, root)
	if list := r.Validate(); len(list) > 0 {
		t.Fatalf("Validate = %v, want nothing", list)
	}
	if r.Identity() == "" {
		t.Error("Identity is empty")
	}
	checkNames(t, r)
	changes := checkPurely(t, r, sys, root, s.wantErr)
	if s.wantErr != nil {
		return
	}
	if s.fine != (len(changes) == 0) {
		t.Fatalf("Check = %v, want nothing: %v", changes, s.fine)
	}
	mender, ok := r.(Applier)
	if ok == k.Check {
		t.Fatalf("a check has no Apply and a resource has one, this has one: %v", ok)
	}
	if s.fine || k.Check || s.noApply != "" {
		return
	}
	if err := mender.Apply(context.Background(), sys, changes); err != nil {
		t.Fatalf("Apply = %v", err)
	}
	if left := checkPurely(t, r, sys, root, nil); len(left) > 0 {
		t.Errorf("Check after Apply = %v, want nothing", left)
	}
	// A new agent that remembers nothing must find the same.
	fresh := &system.System{Root: sys.Root, Tree: sys.Tree, State: sys.State, Managed: sys.Managed}
	if left := checkPurely(t, r, fresh, root, nil); len(left) > 0 {
		t.Errorf("Check of the next run = %v, want nothing", left)
	}
}

func (s sample) build(t *testing.T) (*system.System, string) {
	if s.host != nil {
		sys := s.host(t)
		return sys, sys.Root
	}
	root := placeFiles(t, s.files)
	sys := &system.System{Root: root, State: t.TempDir(), Tree: os.DirFS(root), Managed: map[string]bool{}}
	if s.live {
		sys.Root = "/"
	}
	return sys, root
}

func placeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, what := range files {
		full := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(full), 0o755)
		if target, ok := strings.CutPrefix(what, "-> "); ok {
			err = errors.Join(err, os.Symlink(target, full))
		} else if what == "dir" {
			err = errors.Join(err, os.MkdirAll(full, 0o755))
		} else {
			err = errors.Join(err, os.WriteFile(full, []byte(what), 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func (s sample) resource(t *testing.T, k Kind, root string) Resource {
	t.Helper()
	attributes := strings.ReplaceAll(s.attributes, "$ROOT", root)
	r, err := Decode(policies.Resource{Address: "sample", Kind: k.Name, Check: k.Check, Attributes: json.RawMessage(attributes)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// checkPurely runs Check and proves that nothing in the root changed meanwhile.
func checkPurely(t *testing.T, r Resource, sys *system.System, root string, want error) []policies.Change {
	t.Helper()
	before := snapshot(t, root)
	changes, err := r.Check(context.Background(), sys)
	if !errors.Is(err, want) {
		t.Fatalf("Check = %v, want %v", err, want)
	}
	if diff := cmp.Diff(before, snapshot(t, root)); diff != "" {
		t.Errorf("Check changed the host:\n%s", diff)
	}
	for _, c := range changes {
		if c.Attribute == "" || c.Before == c.After || len(c.Diff) > maxDiff {
			t.Errorf("Check = %+v, want an attribute, a difference and a short diff", c)
		}
	}
	return changes
}

// snapshot describes each file below: type, mode, owner, time, content and attributes.
func snapshot(t *testing.T, root string) map[string]string {
	t.Helper()
	shot := map[string]string{}
	if root == "/" {
		return shot
	}
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(name, &st); err != nil {
			return err
		}
		content := []byte(nil)
		if info.Mode().IsRegular() {
			content, err = os.ReadFile(name)
		} else if info.Mode()&fs.ModeSymlink != 0 {
			target, linkErr := os.Readlink(name)
			content, err = []byte(target), linkErr
		}
		attributes := make([]byte, 4096)
		n, _ := unix.Llistxattr(name, attributes)
		shot[strings.TrimPrefix(name, root)] = fmt.Sprintf("%v %d:%d %v %x %q", info.Mode(), st.Uid, st.Gid,
			info.ModTime().UnixNano(), sha256.Sum256(content), attributes[:max(n, 0)])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return shot
}

var linkName = regexp.MustCompile(`^(path:/|user:|group:|package:|unit:|repository:)[^\s]*$`)

func checkNames(t *testing.T, r Resource) {
	t.Helper()
	linker, ok := r.(Linker)
	if !ok {
		return
	}
	for _, name := range append(linker.Provides(), linker.Needs()...) {
		if !linkName.MatchString(name) || strings.HasSuffix(name, ":") {
			t.Errorf("Provides or Needs holds %q, which nobody understands", name)
		}
	}
	for _, need := range linker.Needs() {
		for _, provided := range linker.Provides() {
			if need == provided {
				t.Errorf("it needs %s and provides it: a circle", need)
			}
		}
	}
}

func TestValidateCatchesMistakes(t *testing.T) {
	for _, k := range written() {
		for name, w := range mistakes()[caseName(k)] {
			t.Run(caseName(k)+"/"+name, func(t *testing.T) {
				r := sample{attributes: w.attributes}.resource(t, k, "")
				for _, m := range r.Validate() {
					if !strings.HasSuffix(m.Detail, ".") || len(m.Detail) < 20 {
						t.Errorf("the detail %q is no sentence that helps", m.Detail)
					}
					if m.Attribute == w.blames {
						return
					}
				}
				t.Errorf("Validate = %v, want a mistake of %q", r.Validate(), w.blames)
			})
		}
	}
}

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

func TestEveryKindIsDocumented(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range written() {
		if seen[caseName(k)] {
			t.Errorf("there are two kinds %s", caseName(k))
		}
		seen[caseName(k)] = true
		if !snakeCase.MatchString(k.Name) || !isSentence(k.Doc) {
			t.Errorf("kind %s: the name is not in snake_case, or its doc is no sentence", k.Name)
		}
		for _, a := range k.Attributes() {
			if !snakeCase.MatchString(a.Name) || !isSentence(a.Doc) || strings.Contains(a.Type, "any") {
				t.Errorf("kind %s: attribute %q of type %s: name, doc or type is not fit to be shown", k.Name, a.Name, a.Type)
			}
			if a.Computed && !hasTree(k, strings.TrimSuffix(a.Name, "_digest")) {
				t.Errorf("kind %s: nobody computes %s", k.Name, a.Name)
			}
		}
	}
}

func isSentence(doc string) bool {
	return len(doc) > 10 && strings.HasSuffix(doc, ".")
}

func hasTree(k Kind, name string) bool {
	for _, a := range k.Attributes() {
		if a.Name == name {
			return a.Tree
		}
	}
	return false
}

// A default that is not zero must survive when a policy sets the attribute to zero.
func TestDefaultsSurvive(t *testing.T) {
	for _, k := range written() {
		def := k.New()
		raw, err := json.Marshal(def)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(policies.Resource{Kind: k.Name, Check: k.Check, Attributes: raw})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(def, back, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
			t.Errorf("kind %s: defaults are not the same after JSON:\n%s", k.Name, diff)
		}
		fields := reflect.ValueOf(def).Elem()
		for i := range fields.NumField() {
			field := fields.Type().Field(i)
			if fields.Field(i).Kind() == reflect.Bool && fields.Field(i).Bool() && strings.Contains(field.Tag.Get("json"), "omitempty") {
				t.Errorf("kind %s: %s is true by default, so false must not be left out", k.Name, field.Name)
			}
		}
	}
}

func TestDecodeIsStrict(t *testing.T) {
	for _, k := range written() {
		for _, attributes := range []string{`{"no_such_attribute": 1}`, `[]`, `{`, `{"` + k.Attributes()[0].Name + `": {}}`} {
			r := policies.Resource{Kind: k.Name, Check: k.Check, Attributes: json.RawMessage(attributes)}
			if _, err := Decode(r); err == nil {
				t.Errorf("Decode(%s, %s) = nil, want an error", k.Name, attributes)
			}
		}
	}
	if _, err := Decode(policies.Resource{Kind: "no_such_kind"}); !errors.Is(err, ErrUnknown) {
		t.Errorf("Decode of an unknown kind = %v, want ErrUnknown", err)
	}
}
