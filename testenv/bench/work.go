package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// work is what a host shall be, and is.
type work struct {
	name string
	// What there is of each; lay fills the lists.
	files, packages, users, groups, sysctls, crons, lines, services int

	dir   string
	items items
	left  string // what was left out here, and why
	goals map[string]time.Duration
}

// items are the things of a work, as they are on this host.
type items struct {
	Files    []file    `json:"files"`
	Packages []string  `json:"packages"`
	Users    []account `json:"users"`
	Groups   []account `json:"groups"`
	Sysctls  []value   `json:"sysctls"`
	Crons    []file    `json:"crons"`
	Lines    []value   `json:"lines"` // Key is the file, Value the line
	Services []string  `json:"services"`
}

type file struct {
	Path    string `json:"path"`
	Content string `json:"content"`
	Mode    uint32 `json:"mode"`
}

type account struct {
	Name  string `json:"name"`
	ID    int    `json:"id"`
	Shell string `json:"shell,omitempty"`
}

type value struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// The ways in which Plumb is measured.
const (
	fromSource = "plumb, from source"
	fromCache  = "plumb, kept catalog"
	verbose    = "plumb, a block each, from source"
	verboseHit = "plumb, a block each, kept catalog"
)

// works are the four works of issue 4, or the one of that name, with their goals.
func works(only string) []*work {
	all := []*work{
		{name: "W1", files: 1000, goals: map[string]time.Duration{fromSource: 60 * time.Millisecond}},
		{name: "W2", files: 10_000, goals: map[string]time.Duration{fromSource: 700 * time.Millisecond, fromCache: 200 * time.Millisecond}},
		{name: "W3", packages: 200, goals: map[string]time.Duration{fromSource: 30 * time.Millisecond}},
		{name: "W4", files: 130, packages: 60, users: 20, groups: 20, sysctls: 20, crons: 20, lines: 20, services: 10,
			goals: map[string]time.Duration{fromSource: 150 * time.Millisecond}},
	}
	var list []*work
	for _, w := range all {
		if only == "" || w.name == only {
			list = append(list, w)
		}
	}
	return list
}

func (w *work) title() string {
	i := w.items
	var parts []string
	for _, one := range []struct {
		n    int
		what string
	}{{len(i.Files), "files"}, {len(i.Packages), "packages"}, {len(i.Users), "users"}, {len(i.Groups), "groups"}, {len(i.Sysctls), "sysctls"},
		{len(i.Crons), "cron files"}, {len(i.Lines), "lines"}, {len(i.Services), "services"}} {
		if one.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", one.n, one.what))
		}
	}
	return strings.Join(parts, ", ") + w.left
}

// fileSize is the content of each file, in bytes.
const fileSize = 1 << 10

// filler completes a first line to the content of a file.
func filler(first string) string {
	return strings.Repeat("0123456789abcdef", fileSize/16)[:fileSize-len(first)-1] + "\n"
}

func firstLine(i int) string { return fmt.Sprintf("file %05d\n", i) }

// lay makes the files and picks what the host has of all else.
func (w *work) lay(dir string) error {
	w.dir = dir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i := range w.files {
		w.items.Files = append(w.items.Files, file{Path: filepath.Join(dir, "files", fmt.Sprintf("f%05d", i)), Content: firstLine(i) + filler(firstLine(i)), Mode: 0o640})
	}
	for i := range w.crons {
		w.items.Crons = append(w.items.Crons, file{Path: filepath.Join(dir, "cron.d", fmt.Sprintf("job%02d", i)), Content: fmt.Sprintf("%d 3 * * * root /bin/true\n", i), Mode: 0o644})
	}
	for i := range w.lines {
		w.items.Lines = append(w.items.Lines, value{filepath.Join(dir, "conf", fmt.Sprintf("c%02d.conf", i)), fmt.Sprintf("option%02d yes", i)})
	}
	if err := w.write(); err != nil {
		return err
	}
	return w.pick()
}

func (w *work) write() error {
	list := append(append([]file{}, w.items.Files...), w.items.Crons...)
	for _, l := range w.items.Lines {
		list = append(list, file{Path: l.Key, Content: "# settings\n" + l.Value + "\nlast no\n", Mode: 0o644})
	}
	for _, f := range list {
		if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(f.Path, []byte(f.Content), os.FileMode(f.Mode)); err != nil {
			return err
		}
		if err := os.Chmod(f.Path, os.FileMode(f.Mode)); err != nil {
			return err
		}
	}
	return os.Chmod(filepath.Dir(w.dir), 0o755)
}
