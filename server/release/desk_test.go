package release

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies/bundle"
	"plumb/policies/compiler"
	"plumb/server/repo"
	"plumb/server/store"
)

const goodPolicy = "policy \"ssh\" {\n  title = \"OpenSSH\"\n}\n"

func TestTrial(t *testing.T) {
	w := newWorld(t)
	first := w.commit(map[string]string{"ssh.hcl": goodPolicy})
	out := w.push("main")
	if want := "plumb: 1 file; no host has reported yet → release 1 (trial: signed by this server's own key)"; !strings.Contains(out, want) {
		t.Errorf("the push does not say %q:\n%s", want, out)
	}
	row := w.latest(1)
	if row.Commit != first || !row.Trial || row.RollbackTo != 0 || row.Author != "Ann" || row.Subject != "Change policies" {
		t.Errorf("release 1 is %+v", row)
	}
	if status, err := w.desk.Status(w.ctx); err != nil || status.Mode != Trial || status.Main != first || status.Release != 1 || len(status.Signers) != 1 {
		t.Errorf("Status() = %+v, %v", status, err)
	}
	// What an agent gets: tag and bundle by their digests, and what a person can verify.
	tag, err := w.desk.Store.Object(w.ctx, store.Ref{Kind: store.KindTag, Digest: row.Tag})
	if err != nil {
		t.Fatal(err)
	}
	r, err := protocol.OpenRelease(tag, protocol.Signers{w.desk.Authority.TrialSigner()})
	if err != nil || r.Bundle != row.Bundle {
		t.Errorf("OpenRelease() = %+v, %v", r, err)
	}
	raw, err := w.desk.Store.Object(w.ctx, store.Ref{Kind: store.KindBundle, Digest: row.Bundle})
	if err != nil {
		t.Fatal(err)
	}
	if tree, err := bundle.Unpack(raw); err != nil || string(tree["ssh.hcl"]) != goodPolicy {
		t.Errorf("Unpack() = %v, %v", tree, err)
	}
	acts, err := w.desk.Store.Acts(w.ctx, 10)
	if want := "refs/heads/main 000000000000.." + first[:12]; err != nil || len(acts) != 1 || acts[0].Who != "ann" || acts[0].What != "push" || acts[0].Detail != want {
		t.Errorf("Acts() = %+v, %v, want ann's push of %s", acts, err, want)
	}
	w.git(w.clone, "fetch", "-q", "--tags", "origin")
	w.verify(w.desk.Authority.TrialSigner().Line(), "release/1", true)
	w.verify(w.person("mallory").line, "release/1", false)
}

// verify asks stock git, whose exit code alone counts: its words praise foreign keys, too.
func (w *world) verify(line, tag string, want bool) {
	w.t.Helper()
	file := filepath.Join(w.t.TempDir(), "signers")
	if err := os.WriteFile(file, []byte(line+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	out, err := w.tryGit(w.clone, "-c", "gpg.format=ssh", "-c", "gpg.ssh.allowedSignersFile="+file, "verify-tag", tag)
	if (err == nil) != want {
		w.t.Errorf("git verify-tag %s = %v, want it to succeed: %v\n%s", tag, err, want, out)
	}
}

func TestBadCommitIsRefused(t *testing.T) {
	w := newWorld(t)
	w.commit(map[string]string{"ssh.hcl": goodPolicy})
	w.push("main")
	w.commit(map[string]string{"web/site.hcl": "policy \"web\" {\n  broken = 1\n}\n"})
	w.refused([]string{"on web/site.hcl line 2", "broken = 1", "plumb: hint:", "is not taken: 1 problem"}, "main")
	w.latest(1)
	w.git(w.clone, "rm", "-q", "web/site.hcl")
	w.git(w.clone, "commit", "-q", "--amend", "--allow-empty", "-m", "Mended")
	w.push("main")
	w.latest(2)
}

func TestOnlyForward(t *testing.T) {
	w := newWorld(t)
	w.commit(map[string]string{"a.hcl": goodPolicy})
	w.commit(map[string]string{"b.hcl": "policy \"b\" {\n}\n"})
	w.push("main")
	row := w.latest(1)
	w.git(w.clone, "reset", "-q", "--hard", "HEAD~1")
	w.commit(map[string]string{"c.hcl": goodPolicy})
	w.refused([]string{"main only moves forward"}, "+main")
	w.refused(nil, ":main")
	w.git(w.clone, "fetch", "-q", "--tags", "origin")
	w.refused(nil, ":refs/tags/release/1")
	w.git(w.clone, "tag", "-f", "release/1", "HEAD")
	w.refused([]string{"it is never moved"}, "+refs/tags/release/1")
	if w.latest(1).Commit != row.Commit {
		t.Error("release 1 has changed")
	}
}

func TestNames(t *testing.T) {
	w := newWorld(t)
	head := w.commit(map[string]string{"a.hcl": goodPolicy})
	w.refused([]string{"this server's own names"}, head+":refs/heads/main/x")
	w.refused([]string{"this server's own names"}, head+":refs/tags/release")
	w.refused([]string{"not the name of a release"}, head+":refs/tags/release/one")
	w.refused([]string{"not the name of a release"}, head+":refs/tags/release/01")
	w.refused([]string{"neither a branch nor a tag"}, head+":refs/replace/"+head)
	w.refused([]string{"neither a branch nor a tag"}, head+":refs/notes/commits")
	w.refused(nil, head+":refs/upstream/main")
	w.refused([]string{"in trial mode"}, head+":refs/tags/release/1")
	w.push(head + ":refs/heads/idea")
	w.latest(0)
}

func TestAuthorMode(t *testing.T) {
	w := newWorld(t)
	ann, bob, mallory := w.person("ann"), w.person("bob"), w.person("mallory")
	w.commit(map[string]string{"ssh.hcl": goodPolicy})
	w.push("main")
	// The commit that brings the signers is the last one that the server signs.
	w.commit(map[string]string{protocol.SignersFile: "# Who may sign.\n" + ann.line})
	w.push("main")
	if row := w.latest(2); !row.Trial || !strings.Contains(row.Signers, "ann") {
		t.Errorf("release 2 is %+v", row)
	}
	if mode, err := w.desk.Mode(w.ctx); err != nil || mode != Author {
		t.Fatalf("Mode() = %v, %v, want author", mode, err)
	}
	head := w.commit(map[string]string{"ssh.hcl": goodPolicy + "# more\n"})
	if out := w.push("main"); !strings.Contains(out, "it changes no host until it is released") {
		t.Errorf("the push does not say that it is not released:\n%s", out)
	}
	w.latest(2)

	_, message, err := Prepare(w.ctx, w.clone, "main", 2, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.refused([]string{"not pinned"}, "-f", w.release(mallory, 2, "main"))
	w.refused([]string{"does not follow release 2"}, "-f", w.release(ann, 1, "main")+":refs/tags/release/3")
	w.refused([]string{"does not follow release 2"}, "-f", w.release(ann, 3, "main"))
	w.refused([]string{"does not give"}, "-f", w.tag(ann, 3, "HEAD~1", message))
	w.refused([]string{"does not give"}, "-f", w.tag(ann, 3, head, replaceLine(message, "plumb-size", "1")))
	w.refused([]string{"cannot be taken back"}, "-f", w.tag(ann, 3, head, replaceLine(message, "plumb-rollback-to", "3")))
	w.refused([]string{"lacks a usable plumb-release"}, "-f", w.tag(ann, 3, head, "Release 3"))
	w.git(w.clone, "tag", "-f", "-m", message, "release/3", head)
	w.refused([]string{"not signed with an SSH key"}, "-f", "release/3")
	w.git(w.clone, "tag", "-f", "release/3", head)
	w.refused([]string{"is a plain commit"}, "-f", "release/3")
	w.latest(2)

	if out := w.push("-f", w.release(ann, 2, "main")); !strings.Contains(out, "release 3 (signed by ann)") {
		t.Errorf("the push does not name the release:\n%s", out)
	}
	row := w.latest(3)
	if row.Trial || row.Signer != "ann" || row.Commit != head || row.RollbackTo != 2 {
		t.Errorf("release 3 is %+v", row)
	}

	// Ann hands over to Bob; main and tag may come in one push. Ann's key is out after it.
	w.commit(map[string]string{protocol.SignersFile: bob.line})
	w.refused([]string{"not pinned"}, "-f", "main", w.release(bob, 3, "main"))
	w.push("-f", "main", w.release(ann, 3, "main"))
	w.latest(4)
	w.commit(map[string]string{"x.hcl": "# x\n"})
	w.refused([]string{"not pinned"}, "-f", "main", w.release(ann, 4, "main"))
	w.push("-f", "main", w.release(bob, 4, "main"))
	w.latest(5)
}

func replaceLine(message, key, value string) string {
	lines := strings.Split(message, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, key+":") {
			lines[i] = key + ": " + value
		}
	}
	return strings.Join(lines, "\n")
}

func TestSignersFile(t *testing.T) {
	w := newWorld(t)
	ann := w.person("ann")
	w.commit(map[string]string{"a.hcl": goodPolicy})
	w.push("main")
	w.commit(map[string]string{protocol.SignersFile: "# nobody\n"})
	w.refused([]string{"on .plumb/allowed_signers line 1", "nobody could ever sign"}, "main")
	w.commit(map[string]string{protocol.SignersFile: "ann cert-authority " + ann.line})
	w.refused([]string{"Unusable allowed signers", "line 1"}, "main")
	w.commit(map[string]string{protocol.SignersFile: ann.line})
	w.push("main")
	w.latest(2)
	w.git(w.clone, "rm", "-q", protocol.SignersFile)
	w.commit(nil)
	w.refused([]string{"The file is gone"}, "main")
}

func TestExpiredSigner(t *testing.T) {
	w := newWorld(t)
	ann := w.person("ann")
	w.commit(map[string]string{protocol.SignersFile: strings.Replace(ann.line, `namespaces="git"`, `namespaces="git",valid-before="20990101Z"`, 1)})
	w.push("main")
	w.commit(map[string]string{"a.hcl": goodPolicy})
	w.desk.Now = func() time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) }
	// The tag itself claims today, when the key was still good.
	w.refused([]string{"is not valid now"}, "main", w.release(ann, 1, "main"))
	w.desk.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	w.refused([]string{"signed in the future"}, "main", w.release(ann, 1, "main"))
	w.desk.Now = time.Now
	w.push("main", "release/2")
}

func TestCommitNotOnMain(t *testing.T) {
	w := newWorld(t)
	ann := w.person("ann")
	w.commit(map[string]string{protocol.SignersFile: ann.line})
	w.push("main")
	w.git(w.clone, "switch", "-q", "-c", "idea")
	w.commit(map[string]string{"a.hcl": goodPolicy})
	w.refused([]string{"is not on main"}, "idea", w.release(ann, 1, "idea"))
	w.refused([]string{"more than one release"}, "idea", "release/2", "release/2:refs/tags/release/3")
}

func TestReconcile(t *testing.T) {
	w := newWorld(t)
	w.commit(map[string]string{"a.hcl": goodPolicy})
	w.push("main")
	head := w.commit(map[string]string{"b.hcl": "# b\n"})
	git := "--git-dir=" + w.desk.Repo.Dir()

	t.Run("died before the release", func(t *testing.T) {
		w.git(w.data, git, "fetch", "-q", w.clone, "main:main")
		w.restart()
		if row := w.latest(2); row.Commit != head {
			t.Errorf("release 2 is of %s, want %s", row.Commit, head)
		}
	})
	t.Run("died between tag and store", func(t *testing.T) {
		next := w.commit(map[string]string{"c.hcl": "# c\n"})
		w.git(w.data, git, "fetch", "-q", w.clone, "main:main")
		v := verdict{commit: next, bundle: mustPack(t, w.treeOf(next))}
		raw, err := w.desk.sign(describe(w.latest(2), v, time.Now().Add(-time.Minute)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.desk.Repo.WriteTag(w.ctx, "release/3", raw); err != nil {
			t.Fatal(err)
		}
		w.restart()
		if row := w.latest(3); row.Tag != inventory.Digest(raw) {
			t.Error("the tag that was there was not the one taken")
		}
	})
	t.Run("lost a tag", func(t *testing.T) {
		before := w.git(w.data, git, "rev-parse", "refs/tags/release/1")
		w.git(w.data, git, "update-ref", "-d", "refs/tags/release/1")
		w.restart()
		if after := w.git(w.data, git, "rev-parse", "refs/tags/release/1"); after != before {
			t.Errorf("release/1 is %s, want %s", after, before)
		}
	})
	t.Run("nothing to do", func(t *testing.T) {
		w.restart()
		w.latest(3)
	})
	t.Run("planted tag", func(t *testing.T) {
		mallory := w.person("mallory")
		w.git(w.data, git, "fetch", "-q", w.clone, w.release(mallory, 3, "main")+":refs/tags/release/4")
		w.desk = w.newDesk()
		if err := w.desk.Reconcile(w.ctx); err == nil || !strings.Contains(err.Error(), "not pinned") {
			t.Errorf("Reconcile() = %v, want it to refuse the planted tag", err)
		}
		w.latest(3)
	})
}

func (w *world) restart() {
	w.t.Helper()
	w.desk = w.newDesk()
	if err := w.desk.Reconcile(w.ctx); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) treeOf(commit string) bundle.Tree {
	w.t.Helper()
	view, err := w.desk.Repo.View("")
	if err != nil {
		w.t.Fatal(err)
	}
	tree, err := view.Tree(w.ctx, commit)
	if err != nil {
		w.t.Fatal(err)
	}
	return tree
}

func mustPack(t *testing.T, tree bundle.Tree) []byte {
	t.Helper()
	raw, err := bundle.Pack(tree)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestConcurrentMake(t *testing.T) {
	w := newWorld(t)
	w.commit(map[string]string{"a.hcl": goodPolicy})
	w.git(w.data, "--git-dir="+w.desk.Repo.Dir(), "fetch", "-q", w.clone, "main:main")
	errs := make(chan error)
	for range 4 {
		go func() { _, err := w.desk.make(w.ctx, true); errs <- err }()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	w.latest(1)
}

func TestPushIsCompiledOnce(t *testing.T) {
	w := newWorld(t)
	count := &counting{Compiler: w.desk.Compiler}
	w.desk.Compiler = count
	w.commit(map[string]string{"a.hcl": goodPolicy})
	w.push("main")
	w.latest(1)
	if count.asked != 1 {
		t.Errorf("one push was compiled %d times, want once", count.asked)
	}
}

// TestHangUp makes the release of a push whose author hung up once it was taken.
func TestHangUp(t *testing.T) {
	w := newWorld(t)
	head := w.commit(map[string]string{"a.hcl": goodPolicy})
	w.git(w.data, "--git-dir="+w.desk.Repo.Dir(), "fetch", "-q", w.clone, "main:main")
	gone, cancel := context.WithCancel(w.ctx)
	cancel()
	w.desk.Hook(gone, repo.HookRequest{Kind: repo.PostReceive, Updates: []repo.Update{{Old: repo.Zero, New: head, Ref: repo.Main}}})
	w.latest(1)
}

// counting counts how often a compiler was asked.
type counting struct {
	Compiler
	asked int
}

func (c *counting) Compile(ctx context.Context, req compiler.Request) (compiler.Response, error) {
	c.asked++
	return c.Compiler.Compile(ctx, req)
}

func TestBadMainIsJudgedOnce(t *testing.T) {
	w := newWorld(t)
	count := &counting{Compiler: w.desk.Compiler}
	w.desk.Compiler = count
	w.commit(map[string]string{"a.hcl": "broken = 1\n"})
	w.git(w.data, "--git-dir="+w.desk.Repo.Dir(), "fetch", "-q", w.clone, "main:main")
	for range 3 {
		if err := w.desk.round(w.ctx, false); err == nil || !strings.Contains(err.Error(), "a.hcl:1") {
			t.Errorf("round() = %v, want it to name the mistake", err)
		}
	}
	if status, err := w.desk.Status(w.ctx); err != nil || !strings.Contains(status.Problem, "a.hcl:1") {
		t.Errorf("Status() = %+v, %v", status, err)
	}
	if count.asked != 1 {
		t.Errorf("the bad main was compiled %d times, want once", count.asked)
	}
	if err := w.desk.Reconcile(w.ctx); err == nil || count.asked != 2 {
		t.Errorf("Reconcile() = %v after %d times, want it to judge anew", err, count.asked)
	}
}
