package repo

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the server's side of a push: `_serve DATA DIR`.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "_serve" {
		os.Exit(serveMain(os.Args[2]))
	}
	os.Exit(m.Run())
}

func serveMain(data string) int {
	git, err := lookGit()
	if err != nil {
		return 1
	}
	r := &Repo{dir: filepath.Join(data, "policy.git"), hooks: filepath.Join(data, "hooks"), git: git, serve: make(chan struct{}, 1)}
	return r.ServeGit(context.Background(), Client{Author: "ann", Service: ReceivePack, Protocol: os.Getenv("GIT_PROTOCOL")}, os.Stdin, os.Stdout, os.Stderr)
}

// hostile builds objects that no honest client makes, past git's own checks.
type hostile struct {
	t   *testing.T
	dir string
}

func (h hostile) object(kind string, raw []byte) string {
	h.t.Helper()
	out, err := tryGit(h.t, h.dir, string(raw), "hash-object", "-w", "-t", kind, "--literally", "--stdin")
	if err != nil {
		h.t.Fatalf("cannot make a %s: %v\n%s", kind, err, out)
	}
	return strings.TrimSpace(out)
}

// tree takes mode, name and hash by turns, in any order and with any name.
func (h hostile) tree(entries ...string) string {
	var raw bytes.Buffer
	for i := 0; i < len(entries); i += 3 {
		hash, err := hex.DecodeString(entries[i+2])
		if err != nil {
			h.t.Fatal(err)
		}
		fmt.Fprintf(&raw, "%s %s\x00%s", entries[i], entries[i+1], hash)
	}
	return h.object("tree", raw.Bytes())
}

func (h hostile) commit(tree string) string {
	return h.object("commit", fmt.Appendf(nil, "tree %s\nauthor Eve <e@x> 1 +0000\ncommitter Eve <e@x> 1 +0000\n\nHostile\n", tree))
}

func (h hostile) blob(text string) string { return h.object("blob", []byte(text)) }

// corpus are repositories as in the threat T32. Each has to be refused at push or, where git
// itself takes it, by Tree; or it is harmless, and its bytes come through as they are.
var corpus = map[string]struct {
	make func(h hostile) string
	push string // words of the refusal at push; empty when git takes it
	tree string // words of the refusal of Tree; empty when it is fine
}{
	"symbolic link": {make: func(h hostile) string {
		return h.commit(h.tree("120000", "passwd", h.blob("/etc/passwd")))
	}, tree: "symbolic links are not taken"},
	"link as folder": {make: func(h hostile) string {
		return h.commit(h.tree("100644", "a", h.blob("x"), "120000", "hooks", h.blob("../hooks")))
	}, tree: "symbolic links are not taken"},
	"submodule": {make: func(h hostile) string {
		return h.commit(h.tree("160000", "sub", hashA))
	}, tree: "submodules are not taken"},
	"submodule with an option": {make: func(h hostile) string {
		return h.commit(h.tree("100644", ".gitmodules", h.blob("[submodule \"x\"]\n\tpath = x\n\turl = --upload-pack=touch\n"), "160000", "x", hashA))
	}, push: "gitmodulesUrl"},
	"submodule name that climbs": {make: func(h hostile) string {
		return h.commit(h.tree("100644", ".gitmodules", h.blob("[submodule \"../../hooks\"]\n\tpath = x\n\turl = https://x/y\n")))
	}, push: "gitmodulesName"},
	"dot git": {make: func(h hostile) string {
		return h.commit(h.tree("40000", ".git", h.tree("100644", "config", h.blob("[core]\n\tfsmonitor = touch\n"))))
	}, push: "hasDotgit"},
	"dot git in capitals": {make: func(h hostile) string {
		return h.commit(h.tree("40000", ".GiT", h.tree("100644", "config", h.blob("x"))))
	}, push: "hasDotgit"},
	"dot git for HFS": {make: func(h hostile) string {
		return h.commit(h.tree("40000", ".g\u200cit", h.tree("100644", "config", h.blob("x"))))
	}, push: "hasDotgit"},
	"dot dot": {make: func(h hostile) string {
		return h.commit(h.tree("40000", "..", h.tree("100644", "passwd", h.blob("x"))))
	}, push: "hasDotdot"},
	"path as a name": {make: func(h hostile) string {
		return h.commit(h.tree("100644", "../../etc/passwd", h.blob("x")))
	}, push: "fullPathname"},
	"absolute path as a name": {make: func(h hostile) string {
		return h.commit(h.tree("100644", "/etc/passwd", h.blob("x")))
	}, push: "fullPathname"},
	"empty name": {make: func(h hostile) string {
		return h.commit(h.tree("100644", "", h.blob("x")))
	}, push: "refused"},
	"same name twice": {make: func(h hostile) string {
		return h.commit(h.tree("100644", "a", h.blob("x"), "100644", "a", h.blob("y")))
	}, push: "duplicateEntries"},
	"file that is a folder": {make: func(h hostile) string {
		return h.commit(h.tree("100644", "a", h.tree("100644", "b", h.blob("x"))))
	}, push: "refused"},
	"control characters": {make: func(h hostile) string {
		return h.commit(h.tree("100644", "a\x1b[2J", h.blob("x")))
	}, tree: "the name is not plain text"},
	"line break": {make: func(h hostile) string {
		return h.commit(h.tree("100644", "a\n100644 blob "+hashA+" 1\tb", h.blob("x")))
	}, tree: "the name is not plain text"},
	"not UTF-8": {make: func(h hostile) string {
		return h.commit(h.tree("100644", "a\xff", h.blob("x")))
	}, tree: "the name is not plain text"},
	"backslash": {make: func(h hostile) string {
		return h.commit(h.tree("100644", `..\..\x`, h.blob("x")))
	}, push: "", tree: "the name is not plain text"},
	"long name": {make: func(h hostile) string {
		return h.commit(h.tree("100644", strings.Repeat("a", 3000), h.blob("x")))
	}, tree: "longer than 1024 bytes"},
	"longer than any buffer": {make: func(h hostile) string {
		return h.commit(h.tree("100644", strings.Repeat("\xc3\xa9", 40_000), h.blob("x")))
	}, tree: "longer than 1024 bytes"},
	"more files than atoms": {make: func(h hostile) string {
		tree := h.tree("100644", "f", h.blob("x"))
		for range 12 {
			var entries []string
			for i := range 10 {
				entries = append(entries, "40000", fmt.Sprint("d", i), tree)
			}
			tree = h.tree(entries...)
		}
		return h.commit(tree)
	}, tree: "too large"},
	"deep folders": {make: func(h hostile) string {
		tree := h.tree("100644", "f", h.blob("x"))
		for range 150 {
			tree = h.tree("40000", "somewhat", tree)
		}
		return h.commit(tree)
	}, tree: "longer than 1024 bytes"},
	"file that inflates": {make: func(h hostile) string {
		return h.commit(h.tree("100644", "zeros", h.blob(strings.Repeat("\x00", 70<<20))))
	}, tree: "too large"},
	"commit without an author": {make: func(h hostile) string {
		return h.object("commit", fmt.Appendf(nil, "tree %s\n\nx\n", h.tree("100644", "a", h.blob("x"))))
	}, push: "missingAuthor"},
	"commit with a NUL": {make: func(h hostile) string {
		return h.object("commit", fmt.Appendf(nil, "tree %s\nauthor E\x00ve <e@x> 1 +0000\ncommitter Eve <e@x> 1 +0000\n\nx\n", h.tree("100644", "a", h.blob("x"))))
	}, push: "refused"},
	"filters and hooks": {make: func(h hostile) string {
		attributes := h.blob("* filter=evil diff=evil merge=evil export-subst ident\n")
		hook := h.blob("#!/bin/sh\ntouch owned\n")
		return h.commit(h.tree("100644", ".gitattributes", attributes, "100644", "a.hcl", h.blob("$Id$ $Format:%H$\r\n"),
			"40000", "hooks", h.tree("100755", "post-receive", hook, "100755", "pre-receive", hook)))
	}},
	"a repository in the repository": {make: func(h hostile) string {
		return h.commit(h.tree("100644", "HEAD", h.blob("ref: refs/heads/main\n"), "100644", "config", h.blob("[core]\n\tbare = true\n\thooksPath = hooks\n\tsshCommand = touch owned\n"),
			"40000", "objects", h.tree("100644", "x", h.blob("x")), "40000", "refs", h.tree("100644", "x", h.blob("x"))))
	}},
}

func TestHostileRepositories(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range corpus {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			h := hostile{t, t.TempDir()}
			git(t, h.dir, "init", "-q", "-b", "main")
			hash := c.make(h)
			before := time.Now()
			serve, trace := strace(t, fmt.Sprintf("'%s' _serve '%s'", self, filepath.Dir(r.dir)))
			out, err := tryGit(t, h.dir, "", "push", "--receive-pack="+serve, r.dir, hash+":refs/heads/main")
			if (err != nil) != (c.push != "") || c.push != "refused" && !strings.Contains(out, c.push) {
				t.Errorf("the push ends with %v, want %q in:\n%s", err, c.push, out)
			}
			onlyExpected(t, trace)
			if err == nil {
				checkTree(t, r, hash, c.tree)
			}
			if took := time.Since(before); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
			noWrites(t, r)
		})
	}
}

func checkTree(t *testing.T, r *Repo, hash, want string) {
	t.Helper()
	v, err := r.View("")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := v.Tree(t.Context(), hash)
	if fault := (*TreeError)(nil); want != "" && (!errors.As(err, &fault) || !strings.Contains(err.Error(), want)) || want == "" && err != nil {
		t.Errorf("Tree() = %v, want %q", err, want)
	}
	if text, ok := tree["a.hcl"]; ok && string(text) != "$Id$ $Format:%H$\r\n" {
		t.Errorf("a filter changed the file to %q", text)
	}
}

// noWrites wants nothing but the repository and its hooks in the data folder, and no file
// called owned anywhere in it.
func noWrites(t *testing.T, r *Repo) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(r.dir))
	if err != nil || len(entries) != 2 {
		t.Errorf("the data folder has %v (%v), want hooks and policy.git", entries, err)
	}
	_ = filepath.WalkDir(filepath.Dir(r.dir), func(path string, _ os.DirEntry, _ error) error {
		if filepath.Base(path) == "owned" {
			t.Errorf("something of the push was run: %s", path)
		}
		return nil
	})
}

// strace watches what the server's side of a push starts, where strace is installed.
func strace(t *testing.T, command string) (string, string) {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		return command, ""
	}
	log := filepath.Join(t.TempDir(), "trace")
	return fmt.Sprintf("%s -f -qq -s 300 -e trace=execve -e signal=none -o '%s' %s", path, log, command), log
}

var execveForm = regexp.MustCompile(`execve\("([^"]+)".* = 0$`)

// onlyExpected wants no program but the shell with the limits, git and our hooks to have run.
func onlyExpected(t *testing.T, log string) {
	t.Helper()
	if log == "" {
		return
	}
	raw, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		m := execveForm.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		switch base := filepath.Base(m[1]); {
		case base == "sh", base == "git", strings.HasSuffix(base, ".test"), strings.HasSuffix(m[1], "/hooks/pre-receive"), strings.HasSuffix(m[1], "/hooks/post-receive"):
		default:
			t.Errorf("the push made the server run %s", m[1])
		}
	}
}

func TestHostilePacks(t *testing.T) {
	cases := map[string]string{
		"no pack":        "00660000000000000000000000000000000000000000 1111111111111111111111111111111111111111 refs/heads/main\x00 \n0000",
		"garbage":        "\xff\xff\xff\xff garbage that is no pkt-line",
		"huge length":    "fffe" + strings.Repeat("A", 100),
		"empty pack":     pkt(Zero+" "+hashA+" refs/heads/main\x00report-status\n") + "0000PACK\x00\x00\x00\x02\x00\x00\x00\x00",
		"billions":       pkt(Zero+" "+hashA+" refs/heads/main\x00report-status\n") + "0000PACK\x00\x00\x00\x02\xff\xff\xff\xff",
		"climbing ref":   pkt(Zero+" "+hashA+" refs/heads/../../config\x00report-status\n") + "0000PACK\x00\x00\x00\x02\x00\x00\x00\x00",
		"option":         pkt(Zero+" "+hashA+" --upload-pack=id\x00report-status push-options\n") + "0000",
		"push cert":      pkt("push-cert\x00report-status\n") + "0000",
		"shallow trick":  pkt("shallow "+hashA+"\n") + pkt(Zero+" "+hashA+" refs/heads/main\x00report-status\n") + "0000",
		"object missing": pkt(Zero+" "+hashA+" refs/heads/main\x00report-status\n") + "0000",
	}
	for name, in := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t)
			var out, errs bytes.Buffer
			r.ServeGit(t.Context(), Client{Author: "eve", Service: ReceivePack}, strings.NewReader(in), &out, &errs)
			if _, err := r.Head(); !errors.Is(err, ErrNone) {
				t.Errorf("main was made: %v", err)
			}
			noWrites(t, r)
		})
	}
}

func pkt(s string) string { return fmt.Sprintf("%04x%s", len(s)+4, s) }

func TestServeGitRefusesOtherServices(t *testing.T) {
	r := newRepo(t)
	for _, service := range []string{"", "git-upload-archive", "upload-pack", "git-upload-pack --help", "sh"} {
		var errs bytes.Buffer
		if code := r.ServeGit(t.Context(), Client{Service: service}, strings.NewReader(""), &errs, &errs); code == 0 || !strings.Contains(errs.String(), "is not a service") {
			t.Errorf("ServeGit(%q) = %d, %q", service, code, errs.String())
		}
	}
}

func TestEnvironmentIsClean(t *testing.T) {
	t.Setenv("GIT_DIR", "/elsewhere")
	t.Setenv("SECRET", "s3cret")
	for _, entry := range append(environment(), Client{Author: "a\nb\x1b", Protocol: "version=2:evil"}.env()...) {
		if strings.Contains(entry, "s3cret") || strings.HasPrefix(entry, "GIT_DIR=") || strings.ContainsAny(entry, "\n\x1b") || strings.HasPrefix(entry, "GIT_PROTOCOL=") {
			t.Errorf("git gets %q", entry)
		}
	}
	if env := (Client{Protocol: "version=2"}).env(); env[1] != "GIT_PROTOCOL=version=2" {
		t.Errorf("env() = %q", env)
	}
}
