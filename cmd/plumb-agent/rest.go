package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// rest gives back what work took, before a daemon waits for minutes: what the heap has too much, and
// the pages of the program itself, which come back from the kernel's cache when they are needed.
func rest() {
	debug.FreeOSMemory()
	raw, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return // it may stay
	}
	for _, m := range untouched(raw) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED)
	}
}

// mapping is a range of addresses.
type mapping struct{ from, to uintptr }

// untouched finds in the kernel's list of mappings the ones that are what a file says: nobody may
// write to them, and nobody did, such as a loader that moves the program or a debugger.
func untouched(smaps []byte) []mapping {
	var list []mapping
	var at mapping
	var fixed bool
	for lines := bufio.NewScanner(bytes.NewReader(smaps)); lines.Scan(); {
		line := lines.Text()
		key, value, _ := strings.Cut(line, " ")
		if fixed && key == "Anonymous:" && strings.TrimSpace(value) == "0 kB" {
			list = append(list, at)
		}
		if strings.HasSuffix(key, ":") {
			continue
		}
		var perms, offset, device, inode string
		n, _ := fmt.Sscanf(line, "%x-%x %s %s %s %s", &at.from, &at.to, &perms, &offset, &device, &inode)
		fixed = n == 6 && strings.HasPrefix(perms, "r-") && strings.HasSuffix(perms, "p") && inode != "0"
	}
	return list
}
