package sshd

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
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

	"plumb/agent/protocol"
	"plumb/inventory"
)

// door is a listener on loopback with one author, one host and one stranger.
type door struct {
	t       *testing.T
	server  *Server
	address string
	dir     string
	keys    map[string]ssh.Signer
	revoked map[inventory.HostID]bool
}

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{t: t, dir: t.TempDir(), keys: map[string]ssh.Signer{}, revoked: map[inventory.HostID]bool{}}
	for _, name := range []string{"server", "ann", "web1", "stranger"} {
		d.keys[name] = d.key(name)
	}
	d.server = &Server{HostKey: d.keys["server"], Authors: d.author, Hosts: d.host, Git: d.serve, Handler: http.HandlerFunc(tell)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.address = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.server.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Serve() = %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("Serve does not end")
		}
	})
	known := "[127.0.0.1]:" + d.port() + " " + string(ssh.MarshalAuthorizedKey(d.keys["server"].PublicKey()))
	if err := os.WriteFile(filepath.Join(d.dir, "known_hosts"), []byte(known), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *door) port() string {
	_, port, _ := net.SplitHostPort(d.address)
	return port
}

func (d *door) key(name string) ssh.Signer {
	d.t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, name)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
		d.t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		d.t.Fatal(err)
	}
	return signer
}

func (d *door) author(_ context.Context, fingerprint string) (string, error) {
	if fingerprint == ssh.FingerprintSHA256(d.keys["ann"].PublicKey()) {
		return "ann", nil
	}
	return "", ErrUnknown
}

func (d *door) host(_ context.Context, fingerprint string) (inventory.HostID, error) {
	if fingerprint != ssh.FingerprintSHA256(d.keys["web1"].PublicKey()) || d.revoked["web1"] {
		return "", ErrUnknown
	}
	return "web1", nil
}

// serve is a Git that says what it was asked for.
func (d *door) serve(_ context.Context, c Command, stdin io.Reader, stdout, stderr io.Writer) int {
	fmt.Fprintf(stdout, "%s %s %s\n", c.Author, c.Service, c.Protocol)
	return 7
}

// tell answers with the caller.
func tell(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "host=%s path=%s", Caller(r.Context()), r.URL.Path)
}

// ssh runs the stock client and returns what it printed and its exit code.
func (d *door) ssh(key, user string, args ...string) (string, int) {
	d.t.Helper()
	if _, err := exec.LookPath("ssh"); err != nil {
		d.t.Skip("needs ssh: the stock client is the other side of this test")
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), 20*time.Second)
	defer cancel()
	words := append([]string{"-F", "/dev/null", "-p", d.port(), "-i", filepath.Join(d.dir, key), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
		"-o", "IdentityAgent=none", "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=" + filepath.Join(d.dir, "known_hosts"), user + "@127.0.0.1"}, args...)
	cmd := exec.CommandContext(ctx, "ssh", words...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.dir, "GIT_PROTOCOL=version=2", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		d.t.Errorf("ssh %s %v hangs:\n%s", user, args, out)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out), exit.ExitCode()
	}
	return string(out), 0
}

func TestStockClient(t *testing.T) {
	d := newDoor(t)
	cases := map[string]struct {
		key, user string
		args      []string
		want      string
		code      int
	}{
		"clone":              {"ann", "git", []string{"git-upload-pack '/policy'"}, "ann git-upload-pack \n", 7},
		"protocol":           {"ann", "git", []string{"-o", "SendEnv=GIT_PROTOCOL", "git-receive-pack 'policy.git'"}, "ann git-receive-pack version=2", 7},
		"other variable":     {"ann", "git", []string{"-o", "SetEnv=LD_PRELOAD=/tmp/x", "git-upload-pack policy"}, "ann git-upload-pack \n", 7},
		"shell":              {"ann", "git", nil, "there is no shell here", 1},
		"terminal":           {"ann", "git", []string{"-tt"}, "PTY allocation request failed", 255},
		"command":            {"ann", "git", []string{"id"}, "there is no shell here", 1},
		"other repository":   {"ann", "git", []string{"git-upload-pack '/etc'"}, "there is no shell here", 1},
		"subsystem":          {"ann", "git", []string{"-s", "sftp"}, "subsystem request failed", 255},
		"stranger":           {"stranger", "git", []string{"git-upload-pack policy"}, "plumb author add", 255},
		"host is no author":  {"web1", "git", []string{"git-upload-pack policy"}, "Permission denied", 255},
		"author is no host":  {"ann", "agent", []string{"id"}, "Permission denied", 255},
		"stranger no host":   {"stranger", "agent", []string{"id"}, "plumb-agent enroll TOKEN", 255},
		"agent has no shell": {"web1", "agent", nil, "there is no shell", 255},
		"agent has no git":   {"web1", "agent", []string{"git-upload-pack policy"}, "there is no shell", 255},
		"enroll no shell":    {"stranger", "enroll", []string{"id"}, "there is no shell", 255},
		"root":               {"ann", "root", []string{"id"}, "Permission denied", 255},
		"forward to a host":  {"web1", "agent", []string{"-W", "127.0.0.1:22"}, "there is no shell and no forwarding", 255},
		"author forwards":    {"ann", "git", []string{"-W", "127.0.0.1:22"}, "there is no shell and no forwarding", 255},
		"forward back":       {"ann", "git", []string{"-o", "ExitOnForwardFailure=yes", "-N", "-R", "0:127.0.0.1:22"}, "remote port forwarding failed", 255},
		"forward a socket":   {"ann", "git", []string{"-o", "ExitOnForwardFailure=yes", "-N", "-R", "/tmp/plumb-test-sock:127.0.0.1:22"}, "remote port forwarding failed", 255},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			out, code := d.ssh(c.key, c.user, c.args...)
			if code != c.code || !strings.Contains(out, c.want) {
				t.Errorf("ssh %s %v = %d, want %d with %q:\n%s", c.user, c.args, code, c.code, c.want, out)
			}
		})
	}
}

// dial logs in with x/crypto, as agents do.
func (d *door) dial(key, user string) (*ssh.Client, error) {
	return ssh.Dial("tcp", d.address, &ssh.ClientConfig{User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(d.keys[key])},
		HostKeyCallback: ssh.FixedHostKey(d.keys["server"].PublicKey()), Timeout: 5 * time.Second})
}

// client speaks HTTP over channels of one SSH connection.
func (d *door) client(key, user string) (*http.Client, *ssh.Client) {
	d.t.Helper()
	conn, err := d.dial(key, user)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	dial := func(context.Context, string, string) (net.Conn, error) {
		ch, requests, err := conn.OpenChannel(protocol.SSHChannel, nil)
		if err != nil {
			return nil, err
		}
		go ssh.DiscardRequests(requests)
		return testConn{ch}, nil
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: 10 * time.Second}, conn
}

// testConn lets http.Transport use a channel; it sets no deadlines here.
type testConn struct{ ssh.Channel }

func (testConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (testConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (testConn) SetDeadline(time.Time) error      { return nil }
func (testConn) SetReadDeadline(time.Time) error  { return nil }
func (testConn) SetWriteDeadline(time.Time) error { return nil }

func fetch(client *http.Client, path string) (string, int) {
	res, err := client.Get("http://plumb" + path)
	if err != nil {
		return err.Error(), 0
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error(), 0
	}
	return string(body), res.StatusCode
}

func TestCaller(t *testing.T) {
	d := newDoor(t)
	agent, _ := d.client("web1", protocol.SSHAgent)
	for range 3 { // over one kept channel
		if body, code := fetch(agent, "/v1/checkin"); body != "host=web1 path=/v1/checkin" || code != 200 {
			t.Errorf("an agent gets %d %q", code, body)
		}
	}
	for _, key := range []string{"stranger", "web1"} { // even a known key has no identity as enroll
		enroll, _ := d.client(key, protocol.SSHEnroll)
		if body, code := fetch(enroll, protocol.PathEnroll); body != "host= path=/v1/enroll" || code != 200 {
			t.Errorf("enrolment gets %d %q", code, body)
		}
		if body, code := fetch(enroll, "/v1/checkin"); code != http.StatusForbidden || !strings.Contains(body, "not enrolled") {
			t.Errorf("a check-in without a host gets %d %q", code, body)
		}
	}
	if id := Caller(t.Context()); id != "" {
		t.Errorf("Caller() of a foreign context = %q", id)
	}
}

// TestIdentityIsTheKeyThatSigned offers a host's public key without its private half first:
// CVE-2024-45337 was about servers that took the identity of the last key offered.
func TestIdentityIsTheKeyThatSigned(t *testing.T) {
	d := newDoor(t)
	fake := forged{public: d.keys["web1"].PublicKey(), Signer: d.keys["stranger"]}
	config := &ssh.ClientConfig{User: protocol.SSHAgent, HostKeyCallback: ssh.FixedHostKey(d.keys["server"].PublicKey()), Timeout: 5 * time.Second,
		Auth: []ssh.AuthMethod{ssh.PublicKeys(fake, d.keys["stranger"])}}
	if conn, err := ssh.Dial("tcp", d.address, config); err == nil {
		conn.Close()
		t.Error("a key that did not sign logged in")
	}
}

type forged struct {
	public ssh.PublicKey
	ssh.Signer
}

func (f forged) PublicKey() ssh.PublicKey { return f.public }

func TestRevoked(t *testing.T) {
	d := newDoor(t)
	kept, conn := d.client("web1", protocol.SSHAgent)
	if _, code := fetch(kept, "/"); code != 200 {
		t.Fatal("the agent cannot connect")
	}
	d.server.Drop("another")
	if _, code := fetch(kept, "/"); code != 200 {
		t.Error("Drop closed the connection of another host")
	}
	d.server.Drop("web1")
	if err := conn.Wait(); err == nil {
		t.Error("the connection is still there after Drop")
	}
	again, conn := d.client("web1", protocol.SSHAgent)
	d.revoked["web1"] = true
	if body, code := fetch(again, "/"); code == 200 {
		t.Errorf("a revoked host opened a channel on an old connection: %q", body)
	}
	if err := conn.Wait(); err == nil {
		t.Error("the connection of a revoked host was kept")
	}
	if conn, err := d.dial("web1", protocol.SSHAgent); err == nil {
		conn.Close()
		t.Error("a revoked host logged in")
	}
}
