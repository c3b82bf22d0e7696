package release

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/server/repo"
	"plumb/server/store"
)

// upstream lets the world's desk follow a bare repository elsewhere, to which the clone pushes.
func (w *world) upstream() string {
	w.t.Helper()
	dir := filepath.Join(w.t.TempDir(), "forge.git")
	w.git(w.data, "init", "-q", "--bare", "-b", "main", dir)
	w.git(w.clone, "remote", "add", "forge", dir)
	w.desk.Upstream = repo.Upstream{URL: dir}
	return dir
}

func (w *world) follow(want string) {
	w.t.Helper()
	err := w.desk.Follow(w.ctx, false)
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		w.t.Errorf("Follow() = %v, want %q", err, want)
	}
	status, err := w.desk.Status(w.ctx)
	if err != nil || !strings.Contains(status.UpstreamProblem, want) || want == "" && status.UpstreamProblem != "" {
		w.t.Errorf("Status() = %+v, %v, want the problem %q in it", status, err, want)
	}
}

func TestMirror(t *testing.T) {
	w := newWorld(t)
	w.upstream()
	w.follow("couldn't find remote ref")
	first := w.commit(map[string]string{"a.hcl": goodPolicy})
	w.git(w.clone, "push", "-q", "forge", "main")
	w.follow("")
	w.follow("")
	if row := w.latest(1); row.Commit != first {
		t.Errorf("release 1 is of %s, want %s", row.Commit, first)
	}
	// A bad commit stays outside, and what is wrong with it is remembered, also unasked.
	w.commit(map[string]string{"b.hcl": "policy \"b\" {\n  broken = 1\n}\n"})
	w.git(w.clone, "push", "-q", "forge", "main")
	w.follow("b.hcl:2,3")
	w.follow("b.hcl:2,3")
	w.latest(1)
	w.commit(map[string]string{"b.hcl": "policy \"b\" {\n}\n"})
	w.git(w.clone, "push", "-q", "forge", "main")
	w.follow("")
	row := w.latest(2)
	// History that was rewritten is an alarm and changes nothing.
	w.git(w.clone, "reset", "-q", "--hard", first)
	w.commit(map[string]string{"c.hcl": "# c\n"})
	w.git(w.clone, "push", "-q", "-f", "forge", "main")
	w.follow("alarm: the history of the upstream was rewritten")
	if head, err := w.desk.Repo.Head(); err != nil || head.Hash != row.Commit {
		t.Errorf("main is at %s (%v), want %s", head.Hash, err, row.Commit)
	}
	w.git(w.clone, "push", "-q", "-f", "forge", row.Commit+":main")
	w.follow("")
	w.git(w.clone, "reset", "-q", "--hard", row.Commit)
	w.commit(map[string]string{"d.hcl": "# d\n"})
	w.refused([]string{"push to the upstream instead"}, "main")
}

func TestMirrorAuthorMode(t *testing.T) {
	w := newWorld(t)
	w.upstream()
	ann, mallory := w.person("ann"), w.person("mallory")
	w.commit(map[string]string{protocol.SignersFile: ann.line})
	w.git(w.clone, "push", "-q", "forge", "main")
	w.follow("")
	w.latest(1)
	w.commit(map[string]string{"a.hcl": goodPolicy})
	w.git(w.clone, "push", "-q", "forge", "main")
	w.follow("")
	w.latest(1) // the server does not sign any more
	w.git(w.clone, "push", "-q", "-f", "forge", w.release(mallory, 1, "main"))
	w.follow("not pinned")
	w.latest(1)
	w.git(w.clone, "push", "-q", "-f", "forge", w.release(ann, 1, "main"))
	w.follow("")
	w.latest(2)
	w.commit(map[string]string{"b.hcl": "# b\n"})
	w.git(w.clone, "push", "-q", "forge", "main", w.release(ann, 2, "main"))
	w.commit(map[string]string{"c.hcl": "# c\n"})
	w.git(w.clone, "push", "-q", "forge", "main", w.release(ann, 3, "main"))
	w.follow("")
	if row := w.latest(4); row.Signer != "ann" || row.Trial {
		t.Errorf("release 4 is %+v", row)
	}
}

func TestMirrorOverHTTPS(t *testing.T) {
	backend, err := gitBackend()
	if err != nil {
		t.Skip("needs git-http-backend: it is the forge of this test")
	}
	w := newWorld(t)
	dir := w.upstream()
	w.commit(map[string]string{"a.hcl": goodPolicy})
	w.git(w.clone, "push", "-q", "forge", "main")
	forge := &cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(dir), "GIT_HTTP_EXPORT_ALL=1"}}
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if _, token, _ := r.BasicAuth(); token != "s3cret" {
			http.Error(rw, "no", http.StatusForbidden)
			return
		}
		if strings.HasPrefix(r.URL.Path, "/moved/") {
			http.Redirect(rw, r, strings.TrimPrefix(r.URL.String(), "/moved"), http.StatusFound)
			return
		}
		forge.ServeHTTP(rw, r)
	}))
	defer server.Close()
	ca, token := filepath.Join(w.data, "ca.pem"), filepath.Join(w.data, "token")
	w.write(ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	w.write(token, "s3cret\n")
	url := server.URL + "/forge.git"

	w.desk.Upstream = repo.Upstream{URL: url, Key: token}
	w.follow("certificate")
	w.desk.Upstream = repo.Upstream{URL: url, CA: ca}
	w.follow("403")
	w.desk.Upstream = repo.Upstream{URL: server.URL + "/moved/forge.git", CA: ca, Key: token}
	w.follow("302")
	w.latest(0)
	w.desk.Upstream = repo.Upstream{URL: url, CA: ca, Key: token}
	w.follow("")
	w.latest(1)
	if status, err := w.desk.Status(w.ctx); err != nil || strings.Contains(status.UpstreamProblem, "s3cret") {
		t.Errorf("Status() = %+v, %v", status, err)
	}
}

func gitBackend() (string, error) {
	out, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		return "", err
	}
	path := filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	_, err = os.Stat(path)
	return path, err
}

func (w *world) write(path, text string) {
	w.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func TestRunFollowsWhenPoked(t *testing.T) {
	w := newWorld(t)
	w.upstream()
	w.desk.Upstream.Poll = time.Hour
	made := make(chan uint64, 8)
	w.desk.Released = func(r store.Release) { made <- r.Number }
	w.commit(map[string]string{"a.hcl": goodPolicy})
	w.git(w.clone, "push", "-q", "forge", "main")
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan struct{})
	go func() { defer close(done); w.desk.Run(ctx) }()
	w.wait(made, 1)
	w.commit(map[string]string{"b.hcl": "# b\n"})
	w.git(w.clone, "push", "-q", "forge", "main")
	w.desk.Poke()
	w.wait(made, 2)
	cancel()
	<-done
}

func (w *world) wait(made chan uint64, want uint64) {
	w.t.Helper()
	select {
	case got := <-made:
		if got != want {
			w.t.Errorf("release %d was made, want %d", got, want)
		}
	case <-time.After(30 * time.Second):
		w.t.Fatalf("release %d was not made", want)
	}
}

func TestVerifyWebhook(t *testing.T) {
	const mac = "28b2d37c43baa2cbb3a2eb5ac2c1df0c2d7be5d0a5d6b42b4f1bdb9b7f5e5f0a"
	good := sum("s3cret", "body")
	cases := map[string]struct {
		secret, header, value string
		ok                    bool
	}{
		"github":            {"s3cret", "X-Hub-Signature-256", "sha256=" + good, true},
		"gitea":             {"s3cret", "X-Gitea-Signature", good, true},
		"gitlab":            {"s3cret", "X-Gitlab-Token", "s3cret", true},
		"github other":      {"s3cret", "X-Hub-Signature-256", "sha256=" + mac, false},
		"github no prefix":  {"s3cret", "X-Hub-Signature-256", good, false},
		"gitea other":       {"other", "X-Gitea-Signature", good, false},
		"gitea no hex":      {"s3cret", "X-Gitea-Signature", "zz", false},
		"gitea short":       {"s3cret", "X-Gitea-Signature", good[:8], false},
		"gitlab other":      {"s3cret", "X-Gitlab-Token", "s3cre", false},
		"nothing":           {"s3cret", "X-Other", "s3cret", false},
		"no secret, gitlab": {"", "X-Gitlab-Token", "", false},
		"no secret, gitea":  {"", "X-Gitea-Signature", sum("", "body"), false},
	}
	for name, c := range cases {
		h := http.Header{}
		h.Set(c.header, c.value)
		if err := VerifyWebhook(c.secret, []byte("body"), h); (err == nil) != c.ok {
			t.Errorf("%s: VerifyWebhook() = %v, want it to be fine: %v", name, err, c.ok)
		}
	}
}

func sum(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}
