package system

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const racer = 65534

// TestRacedWriterNeverLeaves lets an unprivileged user swap the target's folder for a link
// to a folder of root, again and again, while root writes. A plain write loses this race.
func TestRacedWriterNeverLeaves(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: the writer is root and the racer is not")
	}
	writes := 20_000
	if os.Getenv("PLUMB_SOAK") == "1" {
		writes = 10_000_000
	}
	writers := map[string]func(root string) error{
		"plumb": func(root string) error {
			return (&System{Root: root}).Files().Write("/home/d/conf", []byte("evil"), WriteOptions{UID: ptr(racer)})
		},
		"set": func(root string) error {
			return (&System{Root: root}).Files().Set("/home/d/conf", Attributes{UID: ptr(racer), Mode: ptr[uint32](0o666)})
		},
		"remove": func(root string) error { return (&System{Root: root}).Files().Remove("/home/d/conf") },
		"link":   func(root string) error { return (&System{Root: root}).Files().Symlink("x", "/home/d/conf", true) },
		"naive": func(root string) error {
			return os.WriteFile(filepath.Join(root, "home/d/conf"), []byte("evil"), 0o644)
		},
	}
	for name, write := range writers {
		t.Run(name, func(t *testing.T) {
			root := raceFolder(t)
			swaps, stop := startRacer(t, filepath.Join(root, "home"))
			done, refused, escaped := 0, 0, 0
			var last error
			weak := func() bool { return done == 0 || swaps.Load() < 1000 }
			for i := 0; i < writes || weak() && i < 20*writes; i++ {
				if err := write(root); err == nil {
					done++
				} else {
					refused++
					last = err
				}
				if canaryHurt(t, root) {
					escaped++
				}
			}
			stop()
			t.Logf("%d swaps; %d writes done, %d refused, %d escaped", swaps.Load(), done, refused, escaped)
			if weak() {
				t.Fatalf("there was no race, so nothing was proved; the last error is %v", last)
			}
			if name == "naive" && escaped == 0 {
				t.Error("even the naive writer never escaped: the race is too weak to prove anything")
			}
			if name != "naive" && (escaped > 0 || refused == 0) {
				t.Errorf("%d escapes and %d refusals, want no escape and some refusals", escaped, refused)
			}
		})
	}
}

// raceFolder holds home/d, which the racer owns, and etc, which is root's. It lies in
// memory where it can: each write waits for the disk.
func raceFolder(t *testing.T) string {
	root, err := os.MkdirTemp("/dev/shm", "plumb-test-")
	if err != nil {
		root = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	must(t, os.MkdirAll(root+"/home/d", 0o755))
	must(t, os.WriteFile(root+"/home/d/conf", nil, 0o644))
	must(t, os.Mkdir(root+"/etc", 0o755))
	must(t, os.WriteFile(root+"/etc/conf", []byte("canary"), 0o600))
	must(t, os.Symlink("../etc", root+"/home/l"))
	for _, name := range []string{"/home", "/home/d", "/home/d/conf", "/home/l"} {
		must(t, os.Lchown(root+name, racer, racer))
	}
	return root
}

func canaryHurt(t *testing.T, root string) bool {
	info, err := os.Lstat(root + "/etc/conf")
	if err == nil && info.Size() == 6 && info.Mode() == 0o600 && info.Sys().(*syscall.Stat_t).Uid == 0 {
		return false
	}
	must(t, os.RemoveAll(root+"/etc/conf"))
	must(t, os.WriteFile(root+"/etc/conf", []byte("canary"), 0o600))
	must(t, os.Chmod(root+"/etc/conf", 0o600))
	must(t, os.Chown(root+"/etc/conf", 0, 0))
	return true
}

// startRacer swaps d and l on a thread that has given up root for good.
func startRacer(t *testing.T, home string) (*atomic.Int64, func()) {
	dir, err := unix.Open(home, unix.O_PATH|unix.O_DIRECTORY, 0)
	must(t, err)
	var swaps atomic.Int64
	var halt atomic.Bool
	ended := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with its user
		err := becomeRacer()
		for err == nil && !halt.Load() {
			err = unix.Renameat2(dir, "d", dir, "l", unix.RENAME_EXCHANGE)
			swaps.Add(1)
		}
		ended <- err
	}()
	return &swaps, func() {
		halt.Store(true)
		must(t, <-ended)
		unix.Close(dir)
	}
}

// becomeRacer changes the user of this one thread: the calls of package syscall change all.
func becomeRacer() error {
	for _, call := range [][2]uintptr{{unix.SYS_SETRESGID, racer}, {unix.SYS_SETRESUID, racer}} {
		if _, _, errno := unix.RawSyscall(call[0], call[1], call[1], call[1]); errno != 0 {
			return errno
		}
	}
	if err := unix.Mkdir("/plumb-test-not-root", 0o700); !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EROFS) {
		return errors.New("the racer is still root")
	}
	return nil
}
