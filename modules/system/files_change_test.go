package system

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSetChangesOnlyWhatIsSure(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: gives files to another user")
	}
	const user = 65534
	files := place(t, map[string]string{
		"/etc/f": "x", "/etc/l": "-> f", "/home/own": "x", "/home/roots": "x", "/home/sub/own": "x", "/tmp/f": "x", "/tmp/dir": "dir",
	})
	must(t, os.Chmod(files.root+"/tmp", 0o777|os.ModeSticky))
	for _, name := range []string{"/home", "/home/own", "/home/sub", "/home/sub/own"} {
		must(t, os.Chown(files.root+name, user, user))
	}
	// What the attack looks like: the user makes a file of root appear in the own folder.
	must(t, os.Link(files.root+"/etc/f", files.root+"/home/planted"))
	cases := map[string]struct {
		path string
		want error
	}{
		"a file of root":                  {"/etc/f", nil},
		"a link":                          {"/etc/l", ErrNotFile},
		"a file of the user":              {"/home/own", nil},
		"a file of the user, deeper":      {"/home/sub/own", nil},
		"a folder of the user":            {"/home/sub", nil},
		"the user's home":                 {"/home", nil},
		"a file of root in the home":      {"/home/roots", ErrUntrusted},
		"a planted file in the home":      {"/home/planted", ErrUntrusted},
		"a file where everybody may link": {"/tmp/f", ErrUntrusted},
		"a folder in such a place":        {"/tmp/dir", nil},
		"the root itself":                 {"/", nil},
		"nothing":                         {"/etc/nope", os.ErrNotExist},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			before, _ := files.Stat(c.path)
			mode := before.Perm ^ 0o040
			err := files.Set(c.path, Attributes{Mode: &mode})
			if !errors.Is(err, c.want) {
				t.Fatalf("Set = %v, want %v", err, c.want)
			}
			after, _ := files.Stat(c.path)
			if changed := after.Perm != before.Perm; changed != (c.want == nil) {
				t.Errorf("mode went from %04o to %04o", before.Perm, after.Perm)
			}
		})
	}
}

// With Own, a file that root left in a user's folder is given away, a linked one never.
func TestSetOwn(t *testing.T) {
	raw, err := os.ReadFile("/proc/sys/fs/protected_hardlinks")
	if os.Geteuid() != 0 || err != nil || string(raw) != "1\n" {
		t.Skip("needs root and fs.protected_hardlinks = 1: relies on the kernel's protection")
	}
	files := place(t, map[string]string{"/home/left": "x", "/home/open": "x", "/etc/f": "x"})
	must(t, os.Chown(files.root+"/home", 65534, 65534))
	must(t, os.Chmod(files.root+"/home/open", 0o664))
	must(t, os.Link(files.root+"/etc/f", files.root+"/home/linked"))
	for name, want := range map[string]error{"left": nil, "open": ErrUntrusted, "linked": ErrUntrusted} {
		err := files.Set("/home/"+name, Attributes{UID: ptr(65534), Own: true})
		if !errors.Is(err, want) {
			t.Errorf("Set(%s) = %v, want %v", name, err, want)
		}
	}
}

func TestMkdir(t *testing.T) {
	files := place(t, map[string]string{"/d": "dir", "/f": "x"})
	must(t, files.Mkdir("/d/new", Attributes{Mode: ptr[uint32](0o2750)}))
	must(t, files.Mkdir("/d/plain", Attributes{}))
	for name, want := range map[string]uint32{"/d/new": 0o2750, "/d/plain": 0o755} {
		if e, err := files.Stat(name); err != nil || !e.IsDir() || e.Perm != want {
			t.Errorf("Stat(%s) = %+v, %v, want a folder with %04o", name, e, err, want)
		}
	}
	for _, name := range []string{"/d", "/f", "/"} {
		if err := files.Mkdir(name, Attributes{}); !errors.Is(err, os.ErrExist) {
			t.Errorf("Mkdir(%s) = %v, want ErrExist", name, err)
		}
	}
	if err := files.Mkdir("/x/y", Attributes{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Mkdir without a parent = %v, want ErrNotExist", err)
	}
}

func TestSymlinkReplaces(t *testing.T) {
	files := place(t, map[string]string{"/l": "-> old", "/f": "x", "/d/x": "x"})
	cases := map[string]struct {
		path    string
		replace bool
		want    error
	}{
		"new":            {"/new", false, nil},
		"other link":     {"/l", true, nil},
		"file":           {"/f", true, nil},
		"file, not said": {"/d/x", false, os.ErrExist},
		"folder":         {"/d", true, os.ErrExist},
	}
	for name, c := range cases {
		if err := files.Symlink("/target", c.path, c.replace); !errors.Is(err, c.want) {
			t.Errorf("%s: Symlink = %v, want %v", name, err, c.want)
		}
		if e, _ := files.Stat(c.path); c.want == nil && e.Target != "/target" {
			t.Errorf("%s: the link leads to %q", name, e.Target)
		}
	}
	wantNoTemp(t, files.root)
}

func TestRemoveAll(t *testing.T) {
	files := place(t, map[string]string{"/d/a/b/c": "x", "/d/l": "-> /keep", "/keep/f": "x", "/e/1": "", "/e/2": "", "/link": "-> keep"})
	if err := files.RemoveAll("/e", 1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("RemoveAll with a limit of 1 = %v, want ErrTooLarge", err)
	}
	if list, _ := files.List("/e"); len(list) != 2 {
		t.Errorf("%d entries are left, want both: nothing goes when too much would", len(list))
	}
	for _, name := range []string{"/d", "/e", "/link", "/nope", "/nope/nope"} {
		if err := files.RemoveAll(name, 100); err != nil {
			t.Errorf("RemoveAll(%s) = %v", name, err)
		}
		if _, err := files.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	if raw, _ := files.Read("/keep/f", 10); string(raw) != "x" {
		t.Error("what a link led to is gone")
	}
	if err := files.RemoveAll("/", 100); err == nil {
		t.Error("RemoveAll of the root = nil, want an error")
	}
}

func TestRemoveAllStopsAtAMount(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts a folder")
	}
	files := place(t, map[string]string{"/d/inner": "dir", "/elsewhere/f": "x"})
	inner := files.root + "/d/inner"
	if err := unix.Mount(files.root+"/elsewhere", inner, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("needs mount: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(inner, unix.MNT_DETACH)) })
	if err := files.RemoveAll("/d", 100); err == nil {
		t.Error("RemoveAll over a mount = nil, want an error")
	}
	if raw, _ := files.Read("/elsewhere/f", 10); string(raw) != "x" {
		t.Error("what is mounted below was removed")
	}
}

func TestTellOnlyTheKernel(t *testing.T) {
	files := place(t, map[string]string{"/proc/sys/a/b": "1\n", "/etc/f": "x"})
	must(t, files.Tell("/proc/sys/a/b", "2\n"))
	if raw, _ := files.Read("/proc/sys/a/b", 10); string(raw) != "2\n" {
		t.Errorf("the value is %q, want 2", raw)
	}
	for _, name := range []string{"/etc/f", "/proc/sys/a/c", "/proc/sys"} {
		if err := files.Tell(name, "2"); err == nil {
			t.Errorf("Tell(%s) = nil, want an error", name)
		}
	}
}

// Every way out of every call must close what was opened: an agent lives for months.
func TestNothingStaysOpen(t *testing.T) {
	files := place(t, map[string]string{
		"/d/f": "x", "/d/l": "-> f", "/gone": "-> nowhere/x", "/open/f": "x", "/open/l": "-> f", "/loop": "-> loop", "/up": "-> d/..",
	})
	must(t, os.Chmod(files.root+"/open", 0o777))
	before := openFiles(t)
	paths := []string{"/", "/d", "/d/f", "/d/l", "/d/l/x", "/gone", "/open/f", "/open/l", "/loop", "/up", "/nope", "/nope/nope", "bad", "/d/f/x"}
	for _, name := range paths {
		_, _ = files.Stat(name)
		_, _ = files.StatFollow(name)
		_, _ = files.Exists(name)
		_, _ = files.Read(name, 10)
		_, _, _ = files.Load(name, true, 0)
		_, _ = files.List(name)
		_, _ = files.Glob(name+"/*", 10)
		_ = files.Set(name, Attributes{})
		_ = files.Mkdir(name, Attributes{})
		_ = files.Tell(name, "x")
		_ = files.Symlink("x", name, false)
		_ = files.Write(name, nil, WriteOptions{Validate: func(string) error { return os.ErrInvalid }})
		_ = files.Write(name, nil, WriteOptions{Follow: true})
		_ = files.Remove(name + "/nope")
	}
	for _, name := range paths {
		_ = files.Symlink("x", name, true)
		_ = files.RemoveAll(name, 1)
		_ = files.RemoveAll(name, 100)
		_ = files.Remove(name)
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors were open, now %d", before, after)
	}
}

func openFiles(t *testing.T) int {
	list, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(list)
}
