package repo

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOpen(t *testing.T) {
	data := t.TempDir()
	r, err := Open(t.Context(), Options{Data: data, Program: "/opt/it's/plumb", Socket: data + "/plumb.sock"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Head(); !errors.Is(err, ErrNone) {
		t.Errorf("Head() of an empty repository = %v, want ErrNone", err)
	}
	// What somebody changed by hand does not survive the next start.
	git(t, r.dir, "--git-dir="+r.dir, "config", "core.sshCommand", "touch /tmp/owned")
	if err := os.WriteFile(filepath.Join(r.dir, "objects/info/alternates"), []byte("/elsewhere\n"), 0o600); err != nil {
		if err := os.MkdirAll(filepath.Join(r.dir, "objects/info"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(r.dir, "objects/info/alternates"), []byte("/elsewhere\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(t.Context(), Options{Data: data, Program: "/opt/it's/plumb", Socket: data + "/plumb.sock"}); err != nil {
		t.Fatal(err)
	}
	config := git(t, r.dir, "--git-dir="+r.dir, "config", "--list", "--local")
	for _, want := range []string{"receive.denynonfastforwards=true", "receive.denydeletes=true", "transfer.fsckobjects=true", "core.symlinks=false"} {
		if !strings.Contains(config, want) {
			t.Errorf("the configuration lacks %s:\n%s", want, config)
		}
	}
	if strings.Contains(config, "sshcommand") {
		t.Error("a foreign core.sshCommand survived Open")
	}
	if _, err := os.Stat(filepath.Join(r.dir, "objects/info/alternates")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("foreign alternates survived Open: %v", err)
	}
	hook, err := os.ReadFile(filepath.Join(r.hooks, PreReceive))
	if err != nil || !strings.Contains(string(hook), `exec '/opt/it'\''s/plumb' _hook pre-receive`) {
		t.Errorf("the hook is %q (%v)", hook, err)
	}
}

func TestOpenRefusesDataFolder(t *testing.T) {
	if _, err := Open(t.Context(), Options{Data: filepath.Join(t.TempDir(), "a:b")}); err == nil {
		t.Error("Open took a data folder with a colon, which would split the list of object folders")
	}
}

func TestHistory(t *testing.T) {
	r := newRepo(t)
	dir := clone(t, r, map[string]string{"site.hcl": "a\n", "files/motd": "b\n"})
	first := git(t, dir, "rev-parse", "HEAD")
	second := commit(t, dir, "Change the motd", map[string]string{"files/motd": "c\n", "new.hcl": "d\n"})
	pushDirectly(t, r, dir)

	head, err := r.Head()
	if err != nil {
		t.Fatal(err)
	}
	want := Commit{Hash: second, Subject: "Change the motd", Author: "Ann", When: time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC), Parents: []string{first}}
	if diff := cmp.Diff(want, head); diff != "" {
		t.Errorf("Head() differs (-want +got):\n%s", diff)
	}
	log, err := r.Log(t.Context(), second, 10)
	if err != nil || len(log) != 2 || log[1].Hash != first {
		t.Errorf("Log() = %v, %v", log, err)
	}
	names, err := r.Diff(t.Context(), first, second)
	if diff := cmp.Diff([]string{"files/motd", "new.hcl"}, names); err != nil || diff != "" {
		t.Errorf("Diff() differs (-want +got): %v\n%s", err, diff)
	}
	if _, err := r.Commit(strings.Repeat("1", 40)); !errors.Is(err, ErrNone) {
		t.Errorf("Commit(unknown) = %v, want ErrNone", err)
	}
	if _, err := r.Commit("--help"); err == nil {
		t.Error("Commit(--help) was taken")
	}
}

func TestView(t *testing.T) {
	r := newRepo(t)
	dir := clone(t, r, map[string]string{"site.hcl": "a\n", ".gitattributes": "* export-ignore ident filter=evil\n", "files/$Id$": "$Id$\n", "empty": ""})
	if err := os.Chmod(filepath.Join(dir, "site.hcl"), 0o755); err != nil {
		t.Fatal(err)
	}
	second := commit(t, dir, "Make it executable", nil)
	first := git(t, dir, "rev-parse", "HEAD~1")
	pushDirectly(t, r, dir)
	v, err := r.View("")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := v.Tree(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"site.hcl": "a\n", ".gitattributes": "* export-ignore ident filter=evil\n", "files/$Id$": "$Id$\n", "empty": ""}
	got := map[string]string{}
	for name, data := range tree {
		got[name] = string(data)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Tree() differs (-want +got):\n%s", diff)
	}
	for _, c := range []struct {
		old, new string
		want     bool
	}{{first, second, true}, {second, first, false}, {first, first, true}} {
		if ok, err := v.IsAncestor(t.Context(), c.old, c.new); err != nil || ok != c.want {
			t.Errorf("IsAncestor(%.7s, %.7s) = %v, %v, want %v", c.old, c.new, ok, err, c.want)
		}
	}
	if _, err := v.IsAncestor(t.Context(), strings.Repeat("1", 40), second); err == nil {
		t.Error("IsAncestor took a commit that is not there")
	}
	local, err := Local(t.Context(), filepath.Join(dir, "files"))
	if err != nil {
		t.Fatal(err)
	}
	if hash, err := local.Resolve(t.Context(), "main"); err != nil || hash != second {
		t.Errorf("Resolve(main) = %q, %v, want %q", hash, err, second)
	}
	if _, err := local.Resolve(t.Context(), "--all"); err == nil {
		t.Error("Resolve(--all) was taken")
	}
}

func TestViewRefusesForeignQuarantine(t *testing.T) {
	r := newRepo(t)
	cases := map[string]string{
		"elsewhere":      t.TempDir(),
		"the repository": r.dir,
		"its objects":    filepath.Join(r.dir, "objects"),
		"other folder":   filepath.Join(r.dir, "objects", "info"),
		"climbing":       filepath.Join(r.dir, "objects", "tmp_objdir-x", "..", ".."),
		"not there":      filepath.Join(r.dir, "objects", "tmp_objdir-none"),
	}
	for name, dir := range cases {
		if _, err := r.View(dir); err == nil {
			t.Errorf("%s: View(%q) was taken", name, dir)
		}
	}
}

func TestWriteTag(t *testing.T) {
	r := newRepo(t)
	dir := clone(t, r, map[string]string{"a": "b"})
	head := git(t, dir, "rev-parse", "HEAD")
	raw := "object " + head + "\ntype commit\ntag release/1\ntagger Ann <a@b> 1700000000 +0000\n\nRelease 1\n"
	hash, err := r.WriteTag(t.Context(), "release/1", []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := tryGit(t, r.dir, "", "--git-dir="+r.dir, "cat-file", "tag", "refs/tags/release/1"); got != raw {
		t.Errorf("git reads the tag as %q, want %q", got, raw)
	}
	git(t, r.dir, "--git-dir="+r.dir, "fsck", "--strict")
	if again, err := r.WriteTag(t.Context(), "release/1", []byte(raw)); err != nil || again != hash {
		t.Errorf("writing the same tag again: %v", err)
	}
	if _, err := r.WriteTag(t.Context(), "release/1", []byte(strings.Replace(raw, "1700000000", "1700000001", 1))); err == nil {
		t.Error("a release tag was moved")
	}
	for _, name := range []string{"../../config", "a..b", "x.lock", "-x", "a b", "a\nb", ""} {
		if _, err := r.WriteTag(t.Context(), name, []byte(raw)); err == nil && name != "-x" {
			t.Errorf("WriteTag(%q) was taken", name)
		}
	}
	tags, err := r.Releases()
	if diff := cmp.Diff(map[uint64]string{1: hash}, tags); err != nil || diff != "" {
		t.Errorf("Releases() differs: %v\n%s", err, diff)
	}
}

func TestMoveMain(t *testing.T) {
	r := newRepo(t)
	dir := clone(t, r, map[string]string{"a": "b"})
	first := git(t, dir, "rev-parse", "HEAD")
	second := commit(t, dir, "Next", map[string]string{"a": "c"})
	git(t, r.dir, "--git-dir="+r.dir, "fetch", "-q", dir, "main:refs/upstream/main")
	if err := r.MoveMain(t.Context(), second, second); err == nil {
		t.Error("MoveMain moved main though it was not where it was thought to be")
	}
	if err := r.MoveMain(t.Context(), second, first); err != nil {
		t.Error(err)
	}
}

func TestSweep(t *testing.T) {
	r := newRepo(t)
	now := time.Now()
	for name, age := range map[string]time.Duration{"tmp_objdir-old": 2 * time.Hour, "tmp_objdir-new": 0, "pack/tmp_pack_old": 2 * time.Hour} {
		path := filepath.Join(r.dir, "objects", name)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	lock := filepath.Join(r.dir, "refs", "heads", "main.lock")
	for _, step := range []error{os.MkdirAll(filepath.Dir(lock), 0o700), os.WriteFile(lock, nil, 0o600), os.Chtimes(lock, now.Add(-2*time.Hour), now.Add(-2*time.Hour))} {
		if step != nil {
			t.Fatal(step)
		}
	}
	if err := r.Sweep(now); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(lock); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an old lock is still there: %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(r.dir, "objects", "*", "tmp_*"))
	more, _ := filepath.Glob(filepath.Join(r.dir, "objects", "tmp_*"))
	if got := append(left, more...); len(got) != 1 || filepath.Base(got[0]) != "tmp_objdir-new" {
		t.Errorf("Sweep left %q, want only the new one", got)
	}
}
