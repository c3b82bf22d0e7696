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
		var perms, offset, device, inode string
		var next mapping
		if n, _ := fmt.Sscanf(line, "%x-%x %s %s %s %s", &next.from, &next.to, &perms, &offset, &device, &inode); n == 6 {
			at, fixed = next, strings.HasPrefix(perms, "r-") && strings.HasSuffix(perms, "p") && inode != "0"
			continue
		}
		if fixed && strings.Join(strings.Fields(line), " ") == "Anonymous: 0 kB" {
			list = append(list, at)
		}
	}
	return list
}
