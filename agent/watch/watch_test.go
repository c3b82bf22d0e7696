package watch

import (
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what must come, silence for what must not.
const (
	patience = 10 * time.Second
	silence  = 400 * time.Millisecond
)

// ways runs a test with and without the names of writers.
func ways(t *testing.T, test func(t *testing.T, opt Options)) {
	t.Helper()
	for name, opt := range map[string]Options{"fanotify": {}, "inotify": {Anonymous: true}} {
		t.Run(name, func(t *testing.T) {
			if name == "fanotify" {
				needFanotify(t)
			}
			opt.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
			test(t, opt)
		})
	}
}

func needFanotify(t *testing.T) {
	t.Helper()
	if err := marks(t.TempDir()); err != nil {
		t.Skip("needs fanotify: the kernel answers", err)
	}
}

// needWriters is for tests of who wrote: the kernel lets everybody watch, and names writers to root only.
func needWriters(t *testing.T) {
	t.Helper()
	needFanotify(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root: the kernel names no writers to others")
	}
}

// marks tells whether fanotify may watch a folder.
func marks(folder string) error {
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_REPORT_DFID_NAME, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.FanotifyMark(fd, unix.FAN_MARK_ADD, unix.FAN_CREATE|unix.FAN_ONDIR, unix.AT_FDCWD, folder)
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it mounts")
	}
}

func open(t *testing.T, opt Options) *Watcher {
	t.Helper()
	if opt.Log == nil {
		opt.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	w, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func next(t *testing.T, w *Watcher) Event {
	t.Helper()
	select {
	case e := <-w.Events():
		return e
	case <-time.After(patience):
		t.Fatal("no event came")
		return Event{}
	}
}

func expect(t *testing.T, w *Watcher, want ...string) Event {
	t.Helper()
	e := next(t, w)
	if !slices.Equal(e.Addresses(), want) {
		t.Fatalf("the event names %q, want %q", e.Addresses(), want)
	}
	return e
}

func quiet(t *testing.T, w *Watcher) {
	t.Helper()
	select {
	case e := <-w.Events():
		t.Fatalf("an event names %+v, want none", e.Drifts)
	case <-time.After(silence):
	}
}

// drain waits until nothing more is told: on a busy machine one write may be told in two events.
func drain(w *Watcher) {
	for {
		select {
		case <-w.Events():
		case <-time.After(silence):
			return
		}
	}
}

func put(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(content), 0o644))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
}

// TestTouched has one target, dir/etc/app/conf, that is there unless before takes it away.
func TestTouched(t *testing.T) {
	cases := map[string]struct {
		before, do func(t *testing.T, dir string)
	}{
		"written": {do: func(t *testing.T, dir string) { put(t, dir+"/etc/app/conf", "new") }},
		"appended by another program": {do: func(t *testing.T, dir string) {
			run(t, "sh", "-c", "echo more >> "+dir+"/etc/app/conf")
		}},
		"mode":    {do: func(t *testing.T, dir string) { must(t, os.Chmod(dir+"/etc/app/conf", 0o600)) }},
		"removed": {do: func(t *testing.T, dir string) { must(t, os.Remove(dir+"/etc/app/conf")) }},
		"replaced": {do: func(t *testing.T, dir string) {
			put(t, dir+"/etc/app/.conf.new", "new")
			must(t, os.Rename(dir+"/etc/app/.conf.new", dir+"/etc/app/conf"))
		}},
		"moved away": {do: func(t *testing.T, dir string) { must(t, os.Rename(dir+"/etc/app/conf", dir+"/etc/app/old")) }},
		"made": {before: func(t *testing.T, dir string) { must(t, os.Remove(dir+"/etc/app/conf")) },
			do: func(t *testing.T, dir string) { put(t, dir+"/etc/app/conf", "new") }},
		"folder removed": {do: func(t *testing.T, dir string) { must(t, os.RemoveAll(dir+"/etc/app")) }},
		"folder above moved away": {do: func(t *testing.T, dir string) {
			must(t, os.Rename(dir+"/etc", dir+"/old"))
		}},
		"folder above replaced by a link": {before: func(t *testing.T, dir string) {
			must(t, os.MkdirAll(dir+"/evil/app", 0o755))
			put(t, dir+"/evil/app/conf", "evil")
		}, do: func(t *testing.T, dir string) {
			must(t, os.Rename(dir+"/etc", dir+"/old"))
			must(t, os.Symlink("evil", dir+"/etc"))
		}},
		"link replaced": {before: func(t *testing.T, dir string) {
			must(t, os.Remove(dir+"/etc/app/conf"))
			must(t, os.Symlink("a", dir+"/etc/app/conf"))
		}, do: func(t *testing.T, dir string) {
			must(t, os.Symlink("b", dir+"/etc/app/new"))
			must(t, os.Rename(dir+"/etc/app/new", dir+"/etc/app/conf"))
		}},
		"what a link points to": {before: func(t *testing.T, dir string) {
			put(t, dir+"/far", "content")
			must(t, os.Remove(dir+"/etc/app/conf"))
			must(t, os.Symlink("../../far", dir+"/etc/app/conf"))
		}, do: func(t *testing.T, dir string) { put(t, dir+"/far", "new") }},
		"folder made anew": {do: func(t *testing.T, dir string) {
			must(t, os.RemoveAll(dir+"/etc/app"))
			must(t, os.MkdirAll(dir+"/etc/app", 0o755))
		}},
		"folder put in its place": {before: func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir+"/etc/next", 0o755))
			put(t, dir+"/etc/next/conf", "next")
		}, do: func(t *testing.T, dir string) {
			must(t, unix.Renameat2(unix.AT_FDCWD, dir+"/etc/next", unix.AT_FDCWD, dir+"/etc/app", unix.RENAME_EXCHANGE))
		}},
		"truncated": {before: func(t *testing.T, dir string) {
			if busy(dir) {
				t.Skip("needs a temporary folder outside of /tmp: where programs write without end, only what closes a file is seen")
			}
		}, do: func(t *testing.T, dir string) { must(t, os.Truncate(dir+"/etc/app/conf", 0)) }},
		"written by its second name": {before: func(t *testing.T, dir string) {
			must(t, os.Link(dir+"/etc/app/conf", dir+"/etc/app/second"))
		}, do: func(t *testing.T, dir string) {
			put(t, dir+"/etc/app/second", "new")
			must(t, os.Rename(dir+"/etc/app/second", dir+"/etc/app/conf"))
			must(t, os.Chmod(dir+"/etc/app/conf", 0o600))
		}},
		"below a folder that is a link": {before: func(t *testing.T, dir string) {
			must(t, os.Rename(dir+"/etc", dir+"/real"))
			must(t, os.Symlink("real", dir+"/etc"))
		}, do: func(t *testing.T, dir string) { put(t, dir+"/real/app/conf", "new") }},
		"link above led elsewhere": {before: func(t *testing.T, dir string) {
			must(t, os.Rename(dir+"/etc", dir+"/real"))
			must(t, os.Symlink("real", dir+"/etc"))
			must(t, os.MkdirAll(dir+"/evil/app", 0o755))
		}, do: func(t *testing.T, dir string) {
			must(t, os.Symlink("evil", dir+"/new"))
			must(t, os.Rename(dir+"/new", dir+"/etc"))
		}},
		"everything above made": {before: func(t *testing.T, dir string) { must(t, os.RemoveAll(dir+"/etc")) },
			do: func(t *testing.T, dir string) {
				must(t, os.MkdirAll(dir+"/etc/app", 0o755))
				put(t, dir+"/etc/app/conf", "new")
			}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ways(t, func(t *testing.T, opt Options) {
				dir := t.TempDir()
				must(t, os.MkdirAll(dir+"/etc/app", 0o755))
				put(t, dir+"/etc/app/conf", "content")
				if c.before != nil {
					c.before(t, dir)
				}
				w := open(t, opt)
				w.Watch([]Target{{Address: "file.conf", Paths: []string{dir + "/etc/app/conf"}}})
				quiet(t, w)
				c.do(t, dir)
				expect(t, w, "file.conf")
			})
		})
	}
}

// TestStillWatched looks whether a path is still seen after its way was built anew.
func TestStillWatched(t *testing.T) {
	ways(t, func(t *testing.T, opt Options) {
		dir := t.TempDir()
		path := dir + "/a/b/conf"
		must(t, os.MkdirAll(dir+"/a/b", 0o755))
		put(t, path, "1")
		w := open(t, opt)
		w.Watch([]Target{{Address: "file.conf", Paths: []string{path}}})
		for range 3 {
			must(t, os.RemoveAll(dir+"/a"))
			expect(t, w, "file.conf")
			must(t, os.MkdirAll(dir+"/a/b", 0o755))
			expect(t, w, "file.conf")
			put(t, path, "2")
			expect(t, w, "file.conf")
		}
	})
}

func TestNeighboursAreNobodysDrift(t *testing.T) {
	ways(t, func(t *testing.T, opt Options) {
		dir := t.TempDir()
		must(t, os.MkdirAll(dir+"/etc/other", 0o755))
		put(t, dir+"/etc/conf", "1")
		w := open(t, opt)
		w.Watch([]Target{{Address: "file.conf", Paths: []string{dir + "/etc/conf"}}})
		put(t, dir+"/etc/neighbour", "1")
		put(t, dir+"/etc/other/conf", "1")
		must(t, os.Chmod(dir+"/etc", 0o700))
		if _, err := os.ReadFile(dir + "/etc/conf"); err != nil {
			t.Fatal(err)
		}
		quiet(t, w)
	})
}

func TestForgottenTargetsAreLeftAlone(t *testing.T) {
	ways(t, func(t *testing.T, opt Options) {
		dir := t.TempDir()
		must(t, os.MkdirAll(dir+"/x", 0o755))
		w := open(t, opt)
		stays := Target{Address: "file.b", Paths: []string{dir + "/b"}}
		w.Watch([]Target{{Address: "file.a", Paths: []string{dir + "/x/a"}}, stays})
		w.Watch([]Target{stays})
		put(t, dir+"/x/a", "1")
		quiet(t, w)
		put(t, dir+"/b", "1")
		expect(t, w, "file.b")
		w.Watch(nil)
		if n, m := len(w.index.places), len(w.index.folders); n+m != 0 {
			t.Errorf("%d places and %d folders are kept for nobody", n, m)
		}
	})
}

func TestEventsComeTogether(t *testing.T) {
	ways(t, func(t *testing.T, opt Options) {
		dir := t.TempDir()
		w := open(t, opt)
		w.Watch([]Target{{Address: "file.a", Paths: []string{dir + "/a"}}, {Address: "file.b", Paths: []string{dir + "/b"}}})
		for range 50 {
			put(t, dir+"/b", "1")
			put(t, dir+"/a", "1")
		}
		expect(t, w, "file.a", "file.b")
	})
}

func TestTreesAndFolders(t *testing.T) {
	ways(t, func(t *testing.T, opt Options) {
		dir := t.TempDir()
		must(t, os.MkdirAll(dir+"/tree/deep", 0o755))
		must(t, os.MkdirAll(dir+"/flat/deep", 0o755))
		w := open(t, opt)
		w.Watch([]Target{{Address: "directory.tree", Trees: []string{dir + "/tree"}}, {Address: "directory.flat", Folders: []string{dir + "/flat"}}})
		put(t, dir+"/tree/deep/x", "1")
		expect(t, w, "directory.tree")
		must(t, os.MkdirAll(dir+"/tree/new/folder", 0o755))
		expect(t, w, "directory.tree")
		put(t, dir+"/tree/new/folder/x", "1")
		expect(t, w, "directory.tree")
		drain(w)
		put(t, dir+"/flat/deep/x", "1")
		quiet(t, w)
		put(t, dir+"/flat/x", "1")
		expect(t, w, "directory.flat")
	})
}

func TestMountOverAPath(t *testing.T) {
	needRoot(t)
	ways(t, func(t *testing.T, opt Options) {
		dir := t.TempDir()
		must(t, os.MkdirAll(dir+"/etc", 0o755))
		must(t, os.MkdirAll(dir+"/other", 0o755))
		put(t, dir+"/etc/conf", "1")
		put(t, dir+"/other/conf", "2")
		w := open(t, opt)
		w.Watch([]Target{{Address: "file.conf", Paths: []string{dir + "/etc/conf"}}})
		for name, mount := range map[string][2]string{"folder": {dir + "/other", dir + "/etc"}, "file": {dir + "/other/conf", dir + "/etc/conf"}} {
			if err := unix.Mount(mount[0], mount[1], "", unix.MS_BIND, ""); err != nil {
				t.Skip("needs to mount: the kernel answers", err)
			}
			expect(t, w, "file.conf")
			if name == "folder" {
				put(t, dir+"/other/conf", "3")
				expect(t, w, "file.conf")
			}
			must(t, unix.Unmount(mount[1], 0))
			expect(t, w, "file.conf")
			put(t, dir+"/etc/conf", "4")
			expect(t, w, "file.conf")
		}
	})
}

// overlay mounts an overlay file system with the file etc/conf in its lower folder.
func overlay(t *testing.T) (merged string) {
	t.Helper()
	needRoot(t)
	dir := t.TempDir()
	for _, name := range []string{"lower/etc", "upper", "work", "merged"} {
		must(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
	}
	put(t, dir+"/lower/etc/conf", "1")
	options := "lowerdir=" + dir + "/lower,upperdir=" + dir + "/upper,workdir=" + dir + "/work"
	if err := unix.Mount("overlay", dir+"/merged", "overlay", 0, options); err != nil {
		t.Skip("needs overlayfs on this file system: the kernel answers", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(dir+"/merged", unix.MNT_DETACH)) })
	return dir + "/merged"
}

// TestBindMounts writes through another place at which a folder is mounted, before and after the
// mount was watched.
func TestBindMounts(t *testing.T) {
	needRoot(t)
	ways(t, func(t *testing.T, opt Options) {
		dir := t.TempDir()
		must(t, os.MkdirAll(dir+"/etc", 0o755))
		must(t, os.MkdirAll(dir+"/other", 0o755))
		put(t, dir+"/etc/conf", "1")
		if err := unix.Mount(dir+"/etc", dir+"/other", "", unix.MS_BIND, ""); err != nil {
			t.Skip("needs to mount: the kernel answers", err)
		}
		t.Cleanup(func() { must(t, unix.Unmount(dir+"/other", unix.MNT_DETACH)) })
		w := open(t, opt)
		w.Watch([]Target{{Address: "file.conf", Paths: []string{dir + "/etc/conf"}}})
		put(t, dir+"/other/conf", "2")
		expect(t, w, "file.conf")
		must(t, os.Remove(dir+"/other/conf"))
		expect(t, w, "file.conf")
	})
}

// TestFileSystemGoesAway unmounts the file system that holds a file, and mounts it again.
func TestFileSystemGoesAway(t *testing.T) {
	needRoot(t)
	ways(t, func(t *testing.T, opt Options) {
		dir := t.TempDir()
		mount := func() {
			if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
				t.Skip("needs to mount: the kernel answers", err)
			}
		}
		mount()
		t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
		put(t, dir+"/conf", "1")
		w := open(t, opt)
		w.Watch([]Target{{Address: "file.conf", Paths: []string{dir + "/conf"}}})
		must(t, unix.Unmount(dir, 0))
		expect(t, w, "file.conf")
		mount()
		expect(t, w, "file.conf")
		put(t, dir+"/conf", "2")
		expect(t, w, "file.conf")
	})
}

func TestOverlay(t *testing.T) {
	ways(t, func(t *testing.T, opt Options) {
		dir := filepath.Dir(overlay(t))
		w := open(t, opt)
		w.Watch([]Target{{Address: "file.conf", Paths: []string{dir + "/merged/etc/conf"}}})
		for _, content := range []string{"the first write copies it up", "the second finds it there"} {
			put(t, dir+"/merged/etc/conf", content)
			expect(t, w, "file.conf")
		}
		must(t, os.Remove(dir+"/merged/etc/conf"))
		expect(t, w, "file.conf")
	})
}

func TestWriterIsNamed(t *testing.T) {
	needWriters(t)
	writerIsNamed(t, t.TempDir())
}

// TestWriterOnOverlay is about hosts whose root folder is an overlay, such as containers: whoever
// may mark a folder there hears who wrote, and others hear that somebody did.
func TestWriterOnOverlay(t *testing.T) {
	dir := overlay(t) + "/etc"
	told := marks(dir) == nil
	w := open(t, Options{})
	w.Watch([]Target{{Address: "file.conf", Paths: []string{dir + "/conf"}}})
	for _, turn := range []string{"first write, which copies the file up", "second write", "third write"} {
		pid, by := slowWrite(t, w, dir)
		if want := (Writer{}); !told && by != want {
			t.Errorf("%s: the writer is %+v, but the kernel cannot have told", turn, by)
		}
		if told && (by.PID != pid || by.Comm != "sh") {
			t.Errorf("%s: the writer is %+v, want sh with pid %d", turn, by, pid)
		}
	}
}

// TestWriterIsGone waits until the writer has ended before its event is read.
func TestWriterIsGone(t *testing.T) {
	needWriters(t)
	dir := t.TempDir()
	w := open(t, Options{})
	w.Watch([]Target{{Address: "file.conf", Paths: []string{dir + "/conf"}}})
	w.mu.Lock() // the reader waits for this before it asks who it was
	run(t, "sh", "-c", "echo more >> "+dir+"/conf")
	w.mu.Unlock()
	by := expect(t, w, "file.conf").Drifts[0].By
	if by.PID == 0 || by.Comm != "" || !strings.HasPrefix(by.String(), "unknown (pid ") {
		t.Errorf("the writer is %s, want one that is unknown", by)
	}
}

// TestOwnProgramsAreNobodysDrift lets a program that the agent started write, and one of its own.
func TestOwnProgramsAreNobodysDrift(t *testing.T) {
	needWriters(t)
	dir := t.TempDir()
	if isOverlay(dir) {
		t.Skip("needs a temporary folder that is not on overlayfs: there own writes cost a look")
	}
	w := open(t, Options{Own: os.Getpid()})
	w.Watch([]Target{{Address: "file.conf", Paths: []string{dir + "/conf"}}})
	run(t, "sh", "-c", "echo more >> "+dir+"/conf; sh -c 'echo more >> "+dir+"/conf; sleep 0.2'; sleep 0.2")
	quiet(t, w)
	if descends(1, os.Getpid()) || descends(os.Getppid(), os.Getpid()) || !descends(os.Getpid(), os.Getpid()) || descends(os.Getpid(), 0) {
		t.Error("descends takes others for own ones, or own ones for others")
	}
}

func writerIsNamed(t *testing.T, dir string) {
	t.Helper()
	w := open(t, Options{})
	w.Watch([]Target{{Address: "file.conf", Paths: []string{dir + "/conf"}}})
	if pid, by := slowWrite(t, w, dir); by.PID != pid || by.Comm != "sh" {
		t.Errorf("the writer is %+v, want sh with pid %d", by, pid)
	}
}

// slowWrite lets another program write into conf, and tells who that was and who is said to be it.
func slowWrite(t *testing.T, w *Watcher, dir string) (pid int, by Writer) {
	t.Helper()
	cmd := exec.Command("sh", "-c", "echo more >> "+dir+"/conf; read -r wait")
	in, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	by = expect(t, w, "file.conf").Drifts[0].By
	must(t, in.Close())
	_ = cmd.Wait() // read found the end of its input
	return cmd.Process.Pid, by
}

// TestOverflow holds the reader back until the kernel's queue is full.
func TestOverflow(t *testing.T) {
	ways(t, func(t *testing.T, opt Options) {
		dir := t.TempDir()
		w := open(t, opt)
		w.Watch([]Target{{Address: "file.a", Paths: []string{dir + "/a"}}, {Address: "file.b", Paths: []string{dir + "/b"}}})
		w.mu.Lock()
		put(t, dir+"/a", "1")   // the reader takes this and waits for the lock
		for i := range 20_000 { // the kernel joins events of the same name
			must(t, os.Symlink("x", dir+"/"+strconv.Itoa(i)))
		}
		w.mu.Unlock()
		for {
			if e := next(t, w); e.Lost {
				if want := []string{"file.a", "file.b"}; !slices.Equal(e.Addresses(), want) {
					t.Errorf("after an overflow %q are suspect, want %q", e.Addresses(), want)
				}
				return
			}
		}
	})
}

func TestWatchingNeedsNoReceiver(t *testing.T) {
	dir := t.TempDir()
	w := open(t, Options{})
	w.Watch([]Target{{Address: "file.a", Paths: []string{dir + "/a"}}, {Address: "file.b", Paths: []string{dir + "/b"}}})
	put(t, dir+"/a", "1")
	time.Sleep(2 * settle)
	put(t, dir+"/b", "1")
	expect(t, w, "file.a")
	expect(t, w, "file.b")
	quiet(t, w)
}
