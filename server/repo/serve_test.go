package repo

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestHookSurroundings looks at what a hook, and so any git below the server, finds itself in.
func TestHookSurroundings(t *testing.T) {
	r := newRepo(t)
	t.Setenv("SECRET", "s3cret")
	look := "#!/bin/sh\necho memory $(ulimit -v) cpu $(ulimit -t) file $(ulimit -f) author \"$PLUMB_AUTHOR\"\nenv\n"
	if err := os.WriteFile(filepath.Join(r.hooks, PreReceive), []byte(look), 0o700); err != nil {
		t.Fatal(err)
	}
	out := pushOne(t, r)
	if want := "memory 4194304 cpu 600 file 2097152 author ann"; !strings.Contains(out, want) {
		t.Errorf("the hook does not see %q:\n%s", want, out)
	}
	for _, bad := range []string{"s3cret", "GIT_PROTOCOL=version=9"} {
		if strings.Contains(out, bad) {
			t.Errorf("the hook sees %q", bad)
		}
	}
	for _, want := range []string{"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "HOME=/nonexistent", "GIT_QUARANTINE_PATH="} {
		if !strings.Contains(out, want) {
			t.Errorf("the hook does not see %q", want)
		}
	}
}

// pushOne pushes a commit through ServeGit and returns what the author sees.
func pushOne(t *testing.T, r *Repo) string {
	t.Helper()
	dir := t.TempDir()
	git(t, dir, "init", "-q", "-b", "main")
	commit(t, dir, "First", map[string]string{"a": "b"})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, _ := tryGit(t, dir, "", "push", "--receive-pack='"+self+"' _serve '"+filepath.Dir(r.dir)+"'", r.dir, "main")
	return out
}

func TestHookMain(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	t.Setenv("PLUMB_SOCKET", socket)
	t.Setenv("PLUMB_AUTHOR", "ann")
	in := hashA + " " + hashB + " refs/heads/main\n"

	var out, errs bytes.Buffer
	if code := HookMain(PreReceive, strings.NewReader(in), &out, &errs); code == 0 || !strings.Contains(errs.String(), "so the push is refused") {
		t.Errorf("without a server HookMain() = %d, %q", code, errs.String())
	}
	var asked HookRequest
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {})
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(&asked)
		answer(w, r)
	})}
	go server.Serve(ln)
	defer server.Close()

	cases := map[string]struct {
		answer http.HandlerFunc
		in     string
		code   int
		out    string
	}{
		"taken":    {say(200, `{"refused":false,"lines":["one","two"]}`), in, 0, "one\ntwo\n"},
		"refused":  {say(200, `{"refused":true,"lines":["no"]}`), in, 1, "no\n"},
		"fault":    {say(500, `{"refused":false}`), in, 1, ""},
		"no JSON":  {say(200, `fine`), in, 1, ""},
		"no input": {say(200, `{}`), "garbage\n", 1, ""},
	}
	for name, c := range cases {
		out.Reset()
		errs.Reset()
		answer = c.answer
		if code := HookMain(PreReceive, strings.NewReader(c.in), &out, &errs); code != c.code || out.String() != c.out {
			t.Errorf("%s: HookMain() = %d, %q (%s), want %d, %q", name, code, out.String(), errs.String(), c.code, c.out)
		}
	}
	want := HookRequest{Kind: PreReceive, Author: "ann", Updates: []Update{{hashA, hashB, Main}}}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("the server was asked something else (-want +got):\n%s", diff)
	}
}

func say(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

// TestFreshRepositoryTakesNoPush holds for a repository whose server has not said who answers.
func TestFreshRepositoryTakesNoPush(t *testing.T) {
	r, err := Open(t.Context(), Options{Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if out := pushOne(t, r); !strings.Contains(out, "takes no push yet") {
		t.Errorf("the push was not refused:\n%s", out)
	}
}

// TestHangUpInTheMiddle ends a push while its hook runs: no lock may stay, since it would
// stop every later push.
func TestHangUpInTheMiddle(t *testing.T) {
	r := newRepo(t)
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skip("needs mkfifo: the hook waits for it")
	}
	if err := os.WriteFile(filepath.Join(r.hooks, PreReceive), []byte("#!/bin/sh\necho here >"+quote(fifo)+"\nexec sleep 600\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	git(t, dir, "init", "-q", "-b", "main")
	head := commit(t, dir, "First", map[string]string{"a": "b"})
	pack, err := tryGit(t, dir, head+"\n", "pack-objects", "--stdout", "--revs", "-q")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan int)
	go func() {
		in := strings.NewReader(pkt(Zero+" "+head+" "+Main+"\x00report-status\n") + "0000" + pack)
		done <- r.ServeGit(ctx, Client{Author: "ann", Service: ReceivePack}, in, io.Discard, io.Discard)
	}()
	if _, err := os.ReadFile(fifo); err != nil { // waits for the hook
		t.Fatal(err)
	}
	cancel()
	select {
	case code := <-done:
		if code == 0 {
			t.Error("a push that was cut off ended well")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("git goes on after its context ended")
	}
	if locks, err := filepath.Glob(filepath.Join(r.dir, "refs", "heads", "*")); err != nil || len(locks) > 0 {
		t.Errorf("the push left %v (%v)", locks, err)
	}
	allowPushes(t, r)
	pushOne(t, r)
	if _, err := r.Head(); err != nil {
		t.Errorf("the next push fails: %v", err)
	}
}
