package release

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"plumb/policies/compiler"
	"plumb/server/authority"
	"plumb/server/repo"
	"plumb/server/store"
)

// TestMain lets the test binary be the program that git's hooks and the compiler run.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == compiler.Argument {
		os.Exit(compiler.Child(os.Stdin, os.Stdout))
	}
	if len(os.Args) == 3 && os.Args[1] == "_hook" {
		os.Exit(repo.HookMain(os.Args[2], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// world is a server's repository, store and desk with one author's clone.
type world struct {
	t     *testing.T
	desk  *Desk
	data  string
	clone string
	ctx   context.Context
}

func newWorld(t *testing.T) *world {
	t.Helper()
	data := t.TempDir()
	w := &world{t: t, data: data, ctx: t.Context(), clone: filepath.Join(t.TempDir(), "clone")}
	w.desk = w.newDesk()
	w.answerHooks()
	w.git(data, "init", "-q", "-b", "main", w.clone)
	w.git(w.clone, "remote", "add", "origin", w.desk.Repo.Dir())
	w.git(w.clone, "config", "remote.origin.receivepack", "git -c core.hooksPath="+filepath.Join(data, "hooks")+" receive-pack")
	return w
}

// newDesk opens everything on disk, as a server that starts does.
func (w *world) newDesk() *Desk {
	w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := repo.Open(w.ctx, repo.Options{Data: w.data, Program: self, Socket: filepath.Join(w.data, "s")})
	if err != nil {
		w.t.Fatal(err)
	}
	st, err := store.Open(w.ctx, filepath.Join(w.data, "plumb.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { st.Close() })
	keys, err := authority.Open(filepath.Join(w.data, "keys"), time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return &Desk{Repo: r, Store: st, Authority: keys, Compiler: compiler.Compiler{}, Now: time.Now}
}

// answerHooks is the server's unix socket. It asks whichever desk the world has by then.
func (w *world) answerHooks() {
	ln, err := net.Listen("unix", filepath.Join(w.data, "s"))
	if err != nil {
		w.t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var ask repo.HookRequest
		if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || r.URL.Path != repo.PathHook {
			http.Error(rw, "no", http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(rw).Encode(w.desk.Hook(r.Context(), ask))
	})}
	go server.Serve(ln)
	w.t.Cleanup(func() { server.Close() })
}

func (w *world) git(dir string, args ...string) string {
	w.t.Helper()
	out, err := w.tryGit(dir, args...)
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(out)
}

func (w *world) tryGit(dir string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.data, "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C", "PLUMB_AUTHOR=ann",
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// commit writes the files into the clone and commits them.
func (w *world) commit(files map[string]string) string {
	w.t.Helper()
	for name, text := range files {
		path := filepath.Join(w.clone, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	w.git(w.clone, "add", "-A")
	w.git(w.clone, "commit", "-q", "--allow-empty", "-m", "Change policies")
	return w.git(w.clone, "rev-parse", "HEAD")
}

// push pushes what is named and wants it taken; it returns what the author saw.
func (w *world) push(refs ...string) string {
	w.t.Helper()
	out, err := w.tryGit(w.clone, append([]string{"push", "origin"}, refs...)...)
	if err != nil {
		w.t.Fatalf("git push %v was refused:\n%s", refs, out)
	}
	return out
}

// refused pushes what is named and wants it refused with each of the words.
func (w *world) refused(words []string, refs ...string) {
	w.t.Helper()
	out, err := w.tryGit(w.clone, append([]string{"push", "origin"}, refs...)...)
	if err == nil {
		w.t.Errorf("git push %v was taken:\n%s", refs, out)
	}
	for _, word := range words {
		if !strings.Contains(out, word) {
			w.t.Errorf("git push %v does not say %q:\n%s", refs, word, out)
		}
	}
}

// latest wants the newest release to have the number.
func (w *world) latest(number uint64) store.Release {
	w.t.Helper()
	last, err := w.desk.Store.LatestRelease(w.ctx)
	if err != nil && number != 0 || last.Number != number {
		w.t.Fatalf("the newest release is %d (%v), want %d", last.Number, err, number)
	}
	return last
}

// person is an author with a signing key.
type person struct {
	name, keyFile string
	line          string // in an allowed signers file
}

func (w *world) person(name string) person {
	w.t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, name)
	if err != nil {
		w.t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		w.t.Fatal(err)
	}
	p := person{name: name, keyFile: filepath.Join(w.t.TempDir(), name)}
	if err := os.WriteFile(p.keyFile, pem.EncodeToMemory(block), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(p.keyFile+".pub", ssh.MarshalAuthorizedKey(key), 0o600); err != nil {
		w.t.Fatal(err)
	}
	p.line = fmt.Sprintf("%s namespaces=\"git\" %s", name, ssh.MarshalAuthorizedKey(key))
	return p
}

// tag signs a message as release/number with stock git, and returns the tag's name.
func (w *world) tag(p person, number uint64, commit, message string) string {
	w.t.Helper()
	name := fmt.Sprintf("release/%d", number)
	w.git(w.clone, "-c", "gpg.format=ssh", "-c", "user.signingKey="+p.keyFile, "tag", "-f", "-s", "-m", message, name, commit)
	return name
}

// release prepares and signs a release as `plumb release create` does.
func (w *world) release(p person, last uint64, revision string) string {
	w.t.Helper()
	r, message, err := Prepare(w.ctx, w.clone, revision, last, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return w.tag(p, r.Number, r.Commit, message)
}
