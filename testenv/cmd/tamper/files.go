package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// whole is what a file holds that nobody tampered with.
const whole = "whole\n"

// way is one way to tamper with a file.
type way struct {
	name string
	do   func(path string) error
}

func ways() []way {
	return []way{
		{"write in place", func(path string) error { return write(path, os.O_WRONLY, "other\n") }},
		{"append", func(path string) error { return write(path, os.O_WRONLY|os.O_APPEND, "more\n") }},
		{"truncate", func(path string) error { return os.Truncate(path, 0) }},
		{"write through a mapping", writeMapped},
		{"chmod", func(path string) error { return os.Chmod(path, 0o666) }},
		{"chown", func(path string) error { return os.Chown(path, 1, 1) }},
		{"unlink", os.Remove},
		{"rename away", func(path string) error { return os.Rename(path, aside(path)) }},
		{"rename over", renameOver},
		{"replace by a link", func(path string) error { return replaced(path, os.Symlink) }},
		{"replace by a second name", func(path string) error { return replaced(path, os.Link) }},
	}
}

// aside is another name on the same file system that nobody manages.
func aside(path string) string { return filepath.Dir(path) + ".aside" }

func write(path string, how int, text string) error {
	f, err := os.OpenFile(path, how, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	return f.Close()
}

func writeMapped(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	page, err := syscall.Mmap(int(f.Fd()), 0, len(whole), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return err
	}
	page[0] = 'W'
	return syscall.Munmap(page)
}

// renameOver is how editors and package managers write.
func renameOver(path string) error {
	if err := os.WriteFile(aside(path), []byte("other\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(aside(path), path)
}

func replaced(path string, by func(other, path string) error) error {
	if err := os.WriteFile(aside(path), []byte("other\n"), 0o644); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return by(aside(path), path)
}

// intact tells whether a file is as policy wants it.
func intact(path string) bool {
	var st syscall.Stat_t
	if syscall.Lstat(path, &st) != nil || st.Mode != syscall.S_IFREG|0o644 || st.Uid != 0 || st.Gid != 0 {
		return false
	}
	text, err := os.ReadFile(path)
	return err == nil && string(text) == whole
}

// files tampers with one file after the other, each in another way, at uneven times.
func files(folder string, n int) []sample {
	var list []sample
	for i := range n {
		how, path := ways()[i%len(ways())], filepath.Join(folder, strconv.Itoa(i))
		began := time.Now()
		must(how.do(path))
		took, never := await(began, time.Millisecond, func() bool { return intact(path) })
		list = append(list, sample{way: how.name, took: took, never: never})
		time.Sleep(rand.N(100 * time.Millisecond))
	}
	return list
}

// burst tampers with all files and then waits for all of them.
func burst(folder string, n int) []sample {
	list, began := make([]sample, n), make([]time.Time, n)
	for i := range n {
		how := ways()[i%len(ways())]
		list[i].way, began[i] = how.name, time.Now()
		must(how.do(filepath.Join(folder, strconv.Itoa(i))))
	}
	for left := n; left > 0; time.Sleep(time.Millisecond) {
		for i := range list {
			if list[i].took != 0 || list[i].never {
				continue
			}
			age := time.Since(began[i])
			switch {
			case intact(filepath.Join(folder, strconv.Itoa(i))):
				list[i].took, left = age, left-1
			case age > patience:
				list[i].never, left = true, left-1
			}
		}
	}
	return list
}
