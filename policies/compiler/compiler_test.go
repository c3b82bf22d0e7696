package compiler

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/bundle"
	"plumb/policies/lang"
	"plumb/policies/patch"
)

// The test program is its own child, as both mains are. The other words misbehave on purpose,
// behind the same limits.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Argument {
		os.Exit(childOrFault())
	}
	os.Exit(m.Run())
}

// childOrFault looks for the word that a test put before the name of the program.
func childOrFault() int {
	fault, ok := strings.CutPrefix(filepath.Base(os.Args[0]), "fault-")
	if !ok {
		return Child(os.Stdin, os.Stdout)
	}
	seconds := int64(30)
	if fault == "processor" {
		seconds = 1
	}
	if err := confine(header{Memory: 256 << 20, CPUSeconds: seconds}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	faults()[fault]()
	return 0
}

func faults() map[string]func() {
	return map[string]func(){
		"memory": func() {
			var hold [][]byte
			for {
				one := make([]byte, 1<<20)
				for i := range one {
					one[i] = 1
				}
				hold = append(hold, one)
			}
		},
		"processor": func() {
			for {
			}
		},
		"sleep":  func() { time.Sleep(time.Minute) },
		"stack":  func() { fmt.Println(deep(0)) },
		"output": func() { chatter() },
		"words":  func() { fmt.Println("this is no JSON") },
		"boast":  func() { fmt.Printf(sizeForm, maxAnswer+1) },
		"torn":   func() { fmt.Printf(sizeForm+"{", 100) },
		"late":   func() { late() },
		"report": report,
	}
}

// late answers and does not end.
func late() {
	_ = writeReply(os.Stdout, Response{})
	time.Sleep(time.Minute)
}

func deep(n int) int {
	if n < 0 {
		return n
	}
	return deep(n+1) + deep(n+2)
}

func chatter() {
	line := []byte(strings.Repeat("x", 1<<20))
	for {
		if _, err := os.Stdout.Write(line); err != nil {
			os.Exit(3)
		}
	}
}

// report fails with what the child can still do.
func report() {
	interfaces, _ := net.Interfaces()
	up := 0
	for _, one := range interfaces {
		if one.Flags&net.FlagUp != 0 {
			up++
		}
	}
	groups, _ := os.Getgroups()
	privileges, _ := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	writeErr := os.WriteFile(filepath.Join(os.TempDir(), fmt.Sprint("plumb-compiler-test-", os.Getpid())), []byte("x"), 0o600)
	os.Remove(filepath.Join(os.TempDir(), fmt.Sprint("plumb-compiler-test-", os.Getpid())))
	folder, _ := os.Getwd()
	fmt.Fprintf(os.Stderr, "uid=%d gid=%d groups=%d up=%d nnp=%d write=%t env=%d dir=%s\n",
		os.Getuid(), os.Getgid(), len(groups), up, privileges, writeErr == nil, len(os.Environ()), folder)
	os.Exit(4)
}

// faulty returns a compiler whose child does what the word says.
func faulty(t *testing.T, word string, limits Limits) Compiler {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "fault-"+word)
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	return Compiler{Exe: link, Limits: limits}
}

func pack(t *testing.T, tree bundle.Tree) []byte {
	t.Helper()
	raw, err := bundle.Pack(tree)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestCompile(t *testing.T) {
	tree := bundle.Tree{"site.hcl": []byte(`policy "p" {
  resource "file" "motd" {
    path    = "/etc/motd"
    content = "Hello ${host.labels.role}\n"
  }
}`)}
	host := func(name, role string) lang.Input {
		return lang.Input{Host: inventory.Host{Name: name, Labels: map[string]string{"role": role}}}
	}
	req := Request{Bundle: pack(t, tree), Hosts: []lang.Input{host("a", "web"), host("b", "web"), host("c", "db")}}
	res, err := Compiler{}.Compile(t.Context(), req)
	if err != nil || len(res.Problems) > 0 || len(res.Hosts) != 3 {
		t.Fatalf("Compile() = %+v, %v", res, err)
	}
	config, _ := lang.Load(tree)
	for i, in := range req.Hosts {
		_, want, err := lang.Digest(config.Compile(in).Catalog)
		if got := res.Hosts[i]; err != nil || got.Digest != want || inventory.Digest(got.Catalog) != want {
			t.Errorf("host %s: digest = %s, want that of the same compilation in this process, %s", in.Host.Name, got.Digest, want)
		}
	}
	if res.Hosts[0].Digest != res.Hosts[1].Digest || res.Hosts[0].Digest == res.Hosts[2].Digest {
		t.Error("hosts that differ only in name must share a catalog, and others must not")
	}
}

// TestSecretsStandApart from the catalog, whose digest does not depend on them.
func TestSecretsStandApart(t *testing.T) {
	compile := func(secret string) Compiled {
		tree := bundle.Tree{"key.pem": []byte(secret), "site.hcl": fmt.Appendf(nil, `
variable "pin" {
  default   = %q
  sensitive = true
}
policy "p" {
  resource "file" "a" {
    path    = "/a"
    content = "pin = ${var.pin}"
  }
  resource "file" "b" {
    path   = "/b"
    source = sensitive("key.pem")
  }
  resource "file" "c" {
    path      = "/c"
    source    = "key.pem"
    sensitive = true
  }
  resource "file" "d" {
    path    = "/d"
    content = "plain"
  }
}`, secret)}
		res, err := Compiler{}.Compile(t.Context(), Request{Bundle: pack(t, tree), Hosts: []lang.Input{{Host: inventory.Host{Name: "a"}}}})
		if err != nil || len(res.Problems) > 0 || len(res.Hosts) != 1 {
			t.Fatalf("Compile() = %+v, %v", res, err)
		}
		return res.Hosts[0]
	}
	one, other := compile("4711"), compile("4712")
	if one.Digest != inventory.Digest(one.Catalog) || one.Digest != other.Digest || one.Before == other.Before {
		t.Error("the digest of the catalog must not tell one secret from another, and that of older agents does")
	}
	for _, tell := range []string{"4711", "key.pem", inventory.Digest([]byte("4711"))[:12]} {
		if strings.Contains(string(one.Catalog), tell) {
			t.Errorf("the catalog tells %q:\n%s", tell, one.Catalog)
		}
	}
	if len(one.Secret) != 3 || !strings.Contains(string(one.Secret["policy.p.file.a"]), "4711") || !strings.Contains(string(one.Catalog), "plain") {
		t.Errorf("apart from the catalog are %s", one.Secret)
	}
}

func TestCompileReportsMistakes(t *testing.T) {
	res, err := Compiler{}.Compile(t.Context(), Request{Bundle: pack(t, bundle.Tree{"site.hcl": []byte(`policey "x" {}`)}), Hosts: []lang.Input{{}}})
	if err != nil || len(res.Problems) != 1 || len(res.Hosts) != 0 {
		t.Fatalf("Compile() = %+v, %v, want one problem and no host", res, err)
	}
}

func TestCompileAsksEmergencyLanes(t *testing.T) {
	tree := bundle.Tree{"site.hcl": []byte(`
group "all" { match = true }
patch_baseline "b" {
  source { label = "x" }
}
rollout "patches" {
  carries = patch_baseline.b
  emergency { match = advisory.exploited && advisory.cves[0] != "" }
  ring "all" { group = group.all }
}`)}
	advisories := []patch.Advisory{{ID: "A", Exploited: true, CVEs: []string{"CVE-2026-1"}, Affected: []patch.Affected{{Package: "openssl"}}},
		{ID: "B", CVEs: []string{"CVE-2026-2"}}, {ID: "C", Exploited: true}}
	res, err := Compiler{}.Compile(t.Context(), Request{Bundle: pack(t, tree), Advisories: advisories})
	if err != nil || len(res.Problems) > 0 {
		t.Fatalf("Compile() = %+v, %v", res, err)
	}
	if got := res.Emergencies["patches"]; !slices.Equal(got, []string{"A"}) {
		t.Errorf("emergencies = %v, want A", res.Emergencies)
	}
	if len(res.Unjudged) != 1 || !strings.Contains(res.Unjudged[0].Detail, "the advisory C") || res.Unjudged[0].Line != 8 {
		t.Errorf("unjudged = %+v, want one about C", res.Unjudged)
	}
}

func TestCompileExplains(t *testing.T) {
	tree := bundle.Tree{"site.hcl": []byte("policy \"p\" {\n  resource \"directory\" \"d\" { path = \"/${host.name}\" }\n}\n")}
	req := Request{Bundle: pack(t, tree), Hosts: []lang.Input{{Host: inventory.Host{Name: "web1"}}}, Explain: "directory.d"}
	res, err := Compiler{}.Compile(t.Context(), req)
	if err != nil || res.Explained == nil || res.Explained.Explanation == nil || len(res.Hosts) != 0 {
		t.Fatalf("Compile() = %+v, %v, want an explanation alone", res, err)
	}
	if got := res.Explained.Explanation.Attributes; len(got) != 1 || string(got[0].Value) != `"/web1"` || got[0].Reads[0].Name != "host.name" {
		t.Errorf("attributes = %+v, want the path and what it reads", got)
	}
	req.Explain = "directory.e"
	if res, err := (Compiler{}).Compile(t.Context(), req); err != nil || !strings.Contains(res.Explained.Unknown, "policy.p.directory.d") {
		t.Errorf("Compile() = %+v, %v, want the nearest address", res.Explained, err)
	}
}

func TestChildDies(t *testing.T) {
	cases := map[string]struct {
		limits Limits
		want   string
	}{
		"memory":    {Limits{Memory: 256 << 20}, "more than 256 MiB of memory"},
		"processor": {Limits{CPU: time.Second}, "more than 1s of processor time"},
		"sleep":     {Limits{Wall: 300 * time.Millisecond}, "took more than 300ms"},
		"stack":     {Limits{}, "stack overflowed"},
		"output":    {Limits{}, "cannot be read"},
		"words":     {Limits{}, "cannot be read"},
		"boast":     {Limits{}, "more than 256 MiB"},
		"torn":      {Limits{}, "1 of 100 bytes"},
	}
	for word, c := range cases {
		t.Run(word, func(t *testing.T) {
			_, err := faulty(t, word, c.limits).Compile(t.Context(), Request{})
			if !errors.Is(err, ErrDied) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Compile() = %v, want an error with %q", err, c.want)
			}
		})
	}
}

// TestAnswerBeforeTheEnd has a child that answers and lives on: its answer counts, and it is killed
// with the context.
func TestAnswerBeforeTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := faulty(t, "late", Limits{}).run(ctx, strings.NewReader(""), Limits{}.filled())
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := p.answer(); err != nil || len(raw) == 0 {
		t.Errorf("answer() = %q, %v", raw, err)
	}
	cancel()
	if err := p.wait(); err == nil {
		t.Error("wait() = nil, want a child that was killed")
	}
}

func TestCancelKillsChild(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := faulty(t, "sleep", Limits{}).Compile(ctx, Request{}); err == nil || time.Since(start) > 10*time.Second {
		t.Errorf("Compile() = %v after %s, want an error at once", err, time.Since(start))
	}
}

func TestChildIsConfined(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: only root can give it up")
	}
	_, err := faulty(t, "report", Limits{}).Compile(t.Context(), Request{})
	want := "uid=65534 gid=65534 groups=0 up=0 nnp=1 write=false env=0 dir=/"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the child says %v, want %s", err, want)
	}
}

// A program in a folder that only root can enter must still find its way into the child.
func TestRootOnlyFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: the folder is closed to others")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(folder, "plumb")
	if out, err := exec.Command("cp", self, copied).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	if _, err := (Compiler{Exe: copied}).Compile(t.Context(), Request{Bundle: pack(t, bundle.Tree{})}); err != nil {
		t.Errorf("Compile() = %v", err)
	}
}

func TestUnprivilegedParent(t *testing.T) {
	attr := namespaces()
	if os.Geteuid() == 0 && attr.Cloneflags != unix.CLONE_NEWNET {
		t.Errorf("namespaces() = %+v, want a network namespace only", attr)
	}
	// The way without namespaces is what a kernel that refuses them leaves.
	input, err := encodeTree(pack(t, bundle.Tree{}), Limits{}.filled())
	if err != nil {
		t.Fatal(err)
	}
	asked, err := encodeQuestion(Request{})
	if err != nil {
		t.Fatal(err)
	}
	whole := bytes.NewReader(bytes.Join(append(input, asked...), nil))
	p, err := Compiler{}.start(t.Context(), whole, Limits{}.filled(), &syscall.SysProcAttr{})
	if err != nil {
		t.Fatalf("start() without namespaces = %v", err)
	}
	if _, err := p.answer(); err != nil {
		t.Errorf("a child without namespaces answers %v", err)
	}
	if err := p.wait(); err != nil {
		t.Errorf("a child without namespaces ends with %v", err)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte("{\"bundle\":0}\n{\"hosts\":2}\n[]"))
	f.Add([]byte("{\"bundle\":1}\nx{\"hosts\":2,\"advisories\":13}\n[][{\"id\":\"A\"}]"))
	f.Add([]byte("{\"bundle\":-1}\n"))
	f.Add([]byte("{}\n{\"hosts\":-1}\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := bufio.NewReader(bytes.NewReader(raw))
		head, err := readHeader(r)
		if err != nil || head.Bundle > 1<<20 {
			return
		}
		if tree, err := readBundle(r, head); err != nil || len(tree) != head.Bundle {
			return
		}
		if req, err := readQuestion(r); err == nil && req.Bundle != nil {
			t.Errorf("readQuestion() has a bundle of %d bytes", len(req.Bundle))
		}
	})
}

func TestReply(t *testing.T) {
	one, two := Compiled{Catalog: []byte(`{"a":1}`), Digest: "1"}, Compiled{Catalog: []byte(`{"b":2}`), Digest: "2"}
	res := Response{Policies: []policies.PolicyInfo{{Name: "p", Mode: policies.Enforce}}, Hosts: []Compiled{one, two, one}}
	var out bytes.Buffer
	if err := writeReply(&out, res); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(out.Bytes(), one.Catalog); n != 1 {
		t.Errorf("a catalog of two hosts is written %d times", n)
	}
	answer, err := readAnswer(&out)
	if err != nil {
		t.Fatal(err)
	}
	back, err := readReply(answer)
	if diff := cmp.Diff(res, back); diff != "" || err != nil {
		t.Errorf("readReply() (%v) (-want +got):\n%s", err, diff)
	}
	for n := range len(answer) {
		if _, err := readReply(answer[:n]); err == nil {
			t.Errorf("readReply() takes the first %d of %d bytes", n, len(answer))
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte("000000000000002\n{}"))
	f.Add([]byte("000000000000003\n{}"))
	f.Add([]byte("-00000000000001\n"))
	f.Add([]byte("999999999999999\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		answer, err := readAnswer(bytes.NewReader(raw))
		if err == nil && (len(raw) < sizeLength || !bytes.HasPrefix(raw[sizeLength:], answer)) {
			t.Errorf("readAnswer(%q) = %q", raw, answer)
		}
	})
}

func FuzzReply(f *testing.F) {
	f.Add([]byte("{\"response\":{\"hosts\":[{}]},\"catalogs\":[2],\"of\":[0]}\n{}"))
	f.Add([]byte("{\"response\":{\"hosts\":[{}]},\"catalogs\":[-1],\"of\":[7]}\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		res, err := readReply(raw)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := writeReply(&out, res); err != nil {
			t.Fatal(err)
		}
	})
}

// TestBegunIsGivenUp starts a child that nobody asks: it has to end with its context.
func TestBegunIsGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := Compiler{}.Begin(ctx, pack(t, bundle.Tree{}))
	cancel()
	if out := <-b.answer; out.err == nil {
		t.Error("Begin() has an answer that nobody asked for")
	}
}
