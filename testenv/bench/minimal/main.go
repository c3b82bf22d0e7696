// Minimal does the work that no program can leave out: it reads a list, looks at each thing on it,
// and compares. It has no language, no safety and no memory of the run before.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

type file struct {
	Path    string
	Content string
	Mode    uint32
}

type account struct {
	Name string
	ID   int
}

type value struct{ Key, Value string }

type list struct {
	Files, Crons  []file
	Packages      []string
	Users, Groups []account
	Sysctls       []value
	Lines         []value
	Services      []string
}

func main() {
	raw, err := os.ReadFile(os.Args[1])
	must(err)
	var l list
	must(json.Unmarshal(raw, &l))
	for _, f := range append(l.Files, l.Crons...) {
		checkFile(f)
	}
	for _, v := range l.Lines {
		text, err := os.ReadFile(v.Key)
		must(err)
		want(bytes.Contains(text, []byte("\n"+v.Value+"\n")), v.Key)
	}
	for _, v := range l.Sysctls {
		text, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(v.Key, ".", "/"))
		must(err)
		want(strings.TrimSpace(string(text)) == v.Value, v.Key)
	}
	checkAccounts("/etc/passwd", l.Users)
	checkAccounts("/etc/group", l.Groups)
	checkPackages(l.Packages)
	if len(l.Services) > 0 {
		must(exec.Command("systemctl", append([]string{"is-active", "--quiet", "--"}, l.Services...)...).Run())
	}
}

func checkFile(f file) {
	info, err := os.Lstat(f.Path)
	must(err)
	owner := info.Sys().(*syscall.Stat_t).Uid
	text, err := os.ReadFile(f.Path)
	must(err)
	want(info.Mode().Perm() == os.FileMode(f.Mode) && owner == 0 && sha256.Sum256(text) == sha256.Sum256([]byte(f.Content)), f.Path)
}

func checkAccounts(table string, wanted []account) {
	if len(wanted) == 0 {
		return
	}
	raw, err := os.ReadFile(table)
	must(err)
	known := map[string]int{}
	for line := range strings.Lines(string(raw)) {
		if f := strings.Split(line, ":"); len(f) > 3 {
			known[f[0]], _ = strconv.Atoi(f[2])
		}
	}
	for _, a := range wanted {
		id, ok := known[a.Name]
		want(ok && id == a.ID, a.Name)
	}
}

func checkPackages(wanted []string) {
	if len(wanted) == 0 {
		return
	}
	raw, err := os.ReadFile("/var/lib/dpkg/status")
	must(err)
	name, known := "", map[string]bool{}
	for line := range bytes.Lines(raw) {
		if rest, ok := bytes.CutPrefix(line, []byte("Package: ")); ok {
			name = string(bytes.TrimSpace(rest))
		}
		if bytes.Equal(bytes.TrimSpace(line), []byte("Status: install ok installed")) {
			known[name] = true
		}
	}
	for _, p := range wanted {
		want(known[p], p)
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "minimal:", err)
		os.Exit(1)
	}
}

func want(ok bool, what string) {
	if !ok {
		fmt.Fprintln(os.Stderr, "minimal:", what, "differs")
		os.Exit(2)
	}
}
