package compiler

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"

	"golang.org/x/sys/unix"
)

// nobody is the user and group that owns nothing.
const nobody = 65534

// confine takes from this process all that a compiler does not need. The order matters: what
// root alone may do comes before root is given up.
func confine(head header) error {
	if err := dropRoot(); err != nil {
		return fmt.Errorf("cannot become an unprivileged user: %w", err)
	}
	for what, most := range map[int]uint64{
		unix.RLIMIT_CPU: uint64(head.CPUSeconds), unix.RLIMIT_AS: addressSpace(head.Memory),
		unix.RLIMIT_NOFILE: 32, unix.RLIMIT_CORE: 0, unix.RLIMIT_FSIZE: 0,
	} {
		if err := unix.Setrlimit(what, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return fmt.Errorf("cannot set resource limit %d to %d: %w", what, most, err)
		}
	}
	debug.SetGCPercent(800)                   // it ends in a moment, and mostly before the first collection, at 32 MiB
	debug.SetMemoryLimit(head.Memory / 4 * 3) // collect harder long before the hard limit
	debug.SetMaxStack(64 << 20)
	return nil
}

// dropRoot is done here and not by exec, because nobody may not even be able to reach the
// program's file. Afterwards no program that it could start gives privileges back.
func dropRoot() error {
	if os.Geteuid() == 0 {
		if err := syscall.Setgroups([]int{}); err != nil {
			return err
		}
		if err := syscall.Setgid(nobody); err != nil {
			return err
		}
		if err := syscall.Setuid(nobody); err != nil {
			return err
		}
	}
	// A change of user clears the death signal of the parent.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL), 0, 0, 0); err != nil {
		return err
	}
	_, _, errno := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if errno == syscall.ENOTSUP { // built with cgo: at least this thread, which stays that of the compiler
		runtime.LockOSThread()
		return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// addressSpace adds what the Go runtime has reserved already, which is far more than it uses.
func addressSpace(memory int64) uint64 {
	raw, err := os.ReadFile("/proc/self/statm")
	pages := int64(0)
	if err == nil {
		_, err = fmt.Sscan(string(raw), &pages)
	}
	if err != nil {
		const usual = 2 << 30
		return uint64(memory + usual)
	}
	return uint64(memory + pages*int64(os.Getpagesize()))
}
