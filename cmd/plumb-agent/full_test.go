package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"plumb/agent/testserver"
)

// F11: a host whose disk is full keeps its managed files whole, says so by its exit code and in words, and the
// server learns of it; with room again all is well.
func TestFullDiskIsReported(t *testing.T) {
	h := newHost(t)
	for _, dir := range []string{h.root, h.state} {
		if err := unix.Mount("plumb-test", dir, "tmpfs", 0, "size=100m"); err != nil {
			t.Skipf("needs root: mounts a small disk: %v", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	}
	s := testserver.Start(t)
	s.Publish(t, 1, 0, policy("one"), s.Author)
	h.agent("enroll", s.Token().String(), "--name", "web1")
	if _, problems, code := h.agent("run", "--once"); code != 0 {
		t.Fatalf("exit %d, %s", code, problems)
	}
	s.Publish(t, 2, 1, policy(strings.Repeat("two ", 4000)), s.Author)
	files := []string{fillDisk(t, h.root), fillDisk(t, h.state)}
	_, problems, code := h.agent("run", "--once")
	if code == 0 || !strings.Contains(problems, "disk is full") {
		t.Errorf("exit %d, %s; want that the disk is full", code, problems)
	}
	if raw, err := os.ReadFile(filepath.Join(h.root, "motd")); err != nil || string(raw) != "Welcome to one\n" {
		t.Errorf("/motd is %.40q, %v; want the old one", raw, err)
	}
	told := ""
	for _, report := range s.Reports() {
		told += report.Problem + "\n"
	}
	if !strings.Contains(told, "disk is full") {
		t.Errorf("the server was told %q", told)
	}
	for _, file := range files {
		os.Remove(file)
	}
	_, problems, code = h.agent("run", "--once")
	if raw, _ := os.ReadFile(filepath.Join(h.root, "motd")); code != 0 || !strings.HasPrefix(string(raw), "Welcome to two ") {
		t.Errorf("with room again: exit %d, %s; /motd is %.40q", code, problems, raw)
	}
}

// fillDisk leaves no byte on the disk of a folder and returns the file that takes them.
func fillDisk(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(bytes.Repeat([]byte{1}, size)); err != nil {
			size /= 2
		}
	}
	return path
}
