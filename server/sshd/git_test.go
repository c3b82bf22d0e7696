package sshd_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"plumb/inventory"
	"plumb/policies/compiler"
	"plumb/server/authority"
	"plumb/server/release"
	"plumb/server/repo"
	"plumb/server/sshd"
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

// forge is a whole policy server without its API: repository, desk and SSH listener.
type forge struct {
	t       *testing.T
	data    string
	desk    *release.Desk
	keys    *authority.Authority
	address string
	ann     string // the path of an author's private key
	known   string // a known_hosts file
}

func newForge(t *testing.T) *forge {
	t.Helper()
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("needs ssh: the stock client is the other side of this test")
	}
	f := &forge{t: t, data: t.TempDir()}
	self, err := os.Executable()
	f.must(err)
	r, err := repo.Open(t.Context(), repo.Options{Data: f.data, Program: self, Socket: filepath.Join(f.data, "s")})
	f.must(err)
	st, err := store.Open(t.Context(), filepath.Join(f.data, "plumb.db"))
	f.must(err)
	t.Cleanup(func() { st.Close() })
	f.keys, err = authority.Open(filepath.Join(f.data, "keys"), time.Now())
	f.must(err)
	f.desk = &release.Desk{Repo: r, Store: st, Authority: f.keys, Compiler: compiler.Compiler{}, Now: time.Now}
	f.serveHooks()
	f.serveSSH()
	return f
}

func (f *forge) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *forge) serveHooks() {
	ln, err := net.Listen("unix", filepath.Join(f.data, "s"))
	f.must(err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var ask repo.HookRequest
		if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || ask.Author != "ann" {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(f.desk.Hook(r.Context(), ask))
	})}
	go server.Serve(ln)
	f.t.Cleanup(func() { server.Close() })
}

func (f *forge) serveSSH() {
	ann := f.newKey("ann")
	f.ann = filepath.Join(f.data, "ann")
	server := &sshd.Server{
		HostKey: f.keys.SSHHostKey(),
		Handler: http.NotFoundHandler(),
		Authors: func(_ context.Context, fingerprint string) (string, error) {
			if fingerprint == ssh.FingerprintSHA256(ann) {
				return "ann", nil
			}
			return "", sshd.ErrUnknown
		},
		Hosts: func(context.Context, string) (inventory.HostID, error) { return "", sshd.ErrUnknown },
		Git: func(ctx context.Context, c sshd.Command, stdin io.Reader, stdout, stderr io.Writer) int {
			return f.desk.Repo.ServeGit(ctx, repo.Client(c), stdin, stdout, stderr)
		},
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	f.must(err)
	f.address = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, ln) }()
	f.t.Cleanup(func() { cancel(); <-done })
	_, port, _ := net.SplitHostPort(f.address)
	f.known = filepath.Join(f.data, "known")
	f.must(os.WriteFile(f.known, fmt.Appendf(nil, "[127.0.0.1]:%s %s", port, ssh.MarshalAuthorizedKey(f.keys.SSHHostKey().PublicKey())), 0o600))
}

func (f *forge) newKey(name string) ssh.PublicKey {
	f.t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	f.must(err)
	block, err := ssh.MarshalPrivateKey(private, name)
	f.must(err)
	f.must(os.WriteFile(filepath.Join(f.data, name), pem.EncodeToMemory(block), 0o600))
	key, err := ssh.NewPublicKey(public)
	f.must(err)
	return key
}

func (f *forge) url() string { return "ssh://git@" + f.address + "/policy" }

// try runs stock git over stock ssh.
func (f *forge) try(dir string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + f.data, "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C",
		"GIT_SSH_COMMAND=ssh -F /dev/null -i '" + f.ann + "' -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile='" + f.known + "'",
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (f *forge) git(dir string, args ...string) string {
	f.t.Helper()
	out, err := f.try(dir, args...)
	if err != nil {
		f.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return out
}

// write commits one file in the clone.
func (f *forge) write(dir, name, text string) {
	f.t.Helper()
	f.must(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	f.git(dir, "add", "-A")
	f.git(dir, "commit", "-q", "-m", "Change "+name)
}

func (f *forge) clone() string {
	f.t.Helper()
	dir := filepath.Join(f.t.TempDir(), "clone")
	f.git(f.data, "clone", "-q", f.url(), dir)
	f.git(dir, "switch", "-q", "-C", "main")
	return dir
}

func TestGitOverSSH(t *testing.T) {
	f := newForge(t)
	ann := f.clone()
	f.write(ann, "site.hcl", "policy \"a\" {}\n")
	if out := f.git(ann, "push", "-u", "origin", "main"); !strings.Contains(out, "remote: plumb: ") || !strings.Contains(out, "release 1 (trial: signed by this server's own key)") {
		t.Errorf("the push does not name its release:\n%s", out)
	}
	second := filepath.Join(t.TempDir(), "second")
	f.git(f.data, "clone", "-q", f.url(), second)

	f.write(ann, "web.hcl", "policy \"b\" {}\nmistake {}\n")
	out, err := f.try(ann, "push")
	if err == nil || !strings.Contains(out, "remote:   on web.hcl line 2") || !strings.Contains(out, "pre-receive hook declined") {
		t.Errorf("a bad push ends with %v and says:\n%s", err, out)
	}
	f.write(ann, "web.hcl", "policy \"b\" {}\n")
	f.git(ann, "push")
	f.git(second, "pull", "-q", "--ff-only")
	if raw, err := os.ReadFile(filepath.Join(second, "web.hcl")); err != nil || string(raw) != "policy \"b\" {}\n" {
		t.Errorf("the second clone has %q, %v", raw, err)
	}

	f.git(ann, "reset", "-q", "--hard", "HEAD~1")
	f.write(ann, "other.hcl", "policy \"c\" {}\n")
	if out, err := f.try(ann, "push", "--force"); err == nil {
		t.Errorf("a rewritten history was taken:\n%s", out)
	}
	if out, err := f.try(ann, "push", "origin", ":main"); err == nil {
		t.Errorf("main was deleted:\n%s", out)
	}

	f.git(second, "fetch", "-q", "--tags")
	signers := filepath.Join(f.data, "signers")
	f.must(os.WriteFile(signers, []byte(f.keys.TrialSigner().Line()+"\n"), 0o600))
	f.git(second, "-c", "gpg.ssh.allowedSignersFile="+signers, "verify-tag", "release/1", "release/2")
	f.git(f.data, "--git-dir="+f.desk.Repo.Dir(), "fsck", "--strict")
}

func TestShallowAndPartialClones(t *testing.T) {
	f := newForge(t)
	ann := f.clone()
	f.write(ann, "a.hcl", "policy \"a\" {}\n")
	f.write(ann, "b.hcl", "policy \"b\" {}\n")
	f.git(ann, "push", "-q", "origin", "main")
	f.git(f.data, "clone", "-q", "--depth=1", f.url(), filepath.Join(t.TempDir(), "shallow"))
	f.git(f.data, "-c", "protocol.version=0", "clone", "-q", f.url(), filepath.Join(t.TempDir(), "old"))
}

// TestUpstreamOverSSH lets one server follow another.
func TestUpstreamOverSSH(t *testing.T) {
	upstream, mirror := newForge(t), newForge(t)
	ann := upstream.clone()
	upstream.write(ann, "a.hcl", "policy \"a\" {}\n")
	upstream.git(ann, "push", "-q", "origin", "main")
	mirror.desk.Upstream = repo.Upstream{URL: upstream.url(), Key: upstream.ann}
	if err := mirror.desk.Follow(t.Context(), true); err == nil || !strings.Contains(err.Error(), "ssh-keyscan") {
		t.Errorf("Follow() without a known host = %v, want it to say how to get one", err)
	}
	mirror.desk.Upstream.KnownHosts = mirror.known
	if err := mirror.desk.Follow(t.Context(), true); err == nil {
		t.Error("Follow() took a server with another host key")
	}
	mirror.desk.Upstream.KnownHosts = upstream.known
	if err := mirror.desk.Follow(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	want, err := upstream.desk.Repo.Head()
	mirror.must(err)
	if got, err := mirror.desk.Status(t.Context()); err != nil || got.Main != want.Hash || got.Release != 1 || got.UpstreamProblem != "" {
		t.Errorf("Status() = %+v, %v, want main at %s and release 1", got, err, want.Hash)
	}
	clone := mirror.clone()
	mirror.git(clone, "pull", "-q", "origin", "main")
	mirror.write(clone, "b.hcl", "policy \"b\" {}\n")
	if out, err := mirror.try(clone, "push", "origin", "main"); err == nil || !strings.Contains(out, "push to the upstream instead") {
		t.Errorf("a push to a mirror ends with %v:\n%s", err, out)
	}
}
