package system

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func ptr[T any](v T) *T { return &v }

func TestWriteKeepsWhatIsNotManaged(t *testing.T) {
	files := place(t, map[string]string{"/d/f": "old"})
	full := files.root + "/d/f"
	must(t, os.Chmod(full, 0o751))
	labelled := unix.Setxattr(full, "user.note", []byte("mine"), 0) == nil
	must(t, os.Link(full, files.root+"/d/second"))

	must(t, files.Write("/d/f", []byte("new"), WriteOptions{}))

	if raw, _ := os.ReadFile(full); string(raw) != "new" {
		t.Errorf("content = %q, want new", raw)
	}
	if info, _ := os.Stat(full); info.Mode() != 0o751 {
		t.Errorf("mode = %v, want 0751", info.Mode())
	}
	if raw, _ := os.ReadFile(files.root + "/d/second"); string(raw) != "old" {
		t.Errorf("the hard link holds %q, want old: it must not be written through", raw)
	}
	note := make([]byte, 10)
	n, _ := unix.Getxattr(full, "user.note", note)
	if labelled && string(note[:max(n, 0)]) != "mine" {
		t.Errorf("user.note = %q, want mine", note[:max(n, 0)])
	}
}

func TestWriteMakesNewFiles(t *testing.T) {
	files := place(t, map[string]string{"/d": "dir"})
	must(t, files.Write("/d/plain", []byte("x"), WriteOptions{}))
	must(t, files.Write("/d/closed", nil, WriteOptions{Mode: ptr[uint32](0o4750)}))
	for name, want := range map[string]uint32{"/d/plain": 0o644, "/d/closed": 0o4750} {
		if e, err := files.Stat(name); err != nil || e.Perm != want {
			t.Errorf("Stat(%s) = %04o, %v, want %04o", name, e.Perm, err, want)
		}
	}
}

func TestWriteGivesFilesAway(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: gives files to another user")
	}
	files := place(t, map[string]string{"/d": "dir"})
	must(t, files.Write("/d/f", []byte("x"), WriteOptions{UID: ptr(65534), GID: ptr(7), Mode: ptr[uint32](0o2755)}))
	e, err := files.Stat("/d/f")
	if err != nil || e.UID != 65534 || e.GID != 7 || e.Perm != 0o2755 {
		t.Errorf("Stat = %+v, %v, want 65534:7 2755", e, err)
	}
	must(t, files.Write("/d/f", []byte("y"), WriteOptions{}))
	if e, _ := files.Stat("/d/f"); e.UID != 65534 || e.GID != 7 || e.Perm != 0o2755 {
		t.Errorf("Stat after a second write = %+v, want owner and mode kept", e)
	}
}

func TestWriteRefuses(t *testing.T) {
	cases := map[string]struct {
		path string
		o    WriteOptions
		want error
		file string // what is found afterwards, and where
		text string
	}{
		"a link":                    {"/d/l", WriteOptions{}, ErrNotFile, "/d/f", "old"},
		"a link, replaced":          {"/d/l", WriteOptions{Replace: true}, nil, "/d/l", "new"},
		"a link, replaced, target":  {"/d/l", WriteOptions{Replace: true}, nil, "/d/f", "old"},
		"a link, followed":          {"/d/l", WriteOptions{Follow: true}, nil, "/d/f", "new"},
		"a link to nothing, follow": {"/d/dangling", WriteOptions{Follow: true}, nil, "/d/fresh", "new"},
		"a folder":                  {"/d/sub", WriteOptions{}, ErrNotFile, "/d/f", "old"},
		"the root":                  {"/", WriteOptions{}, ErrNotFile, "/d/f", "old"},
		"an open folder":            {"/open/f", WriteOptions{}, ErrUntrusted, "/open/f", "old"},
		"an open folder, allowed":   {"/open/f", WriteOptions{Shared: true}, nil, "/open/f", "new"},
		"a sticky folder":           {"/sticky/f", WriteOptions{}, nil, "/sticky/f", "new"},
		"a validator": {"/d/f", WriteOptions{Validate: func(string) error { return os.ErrInvalid }},
			os.ErrInvalid, "/d/f", "old"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			files := place(t, map[string]string{
				"/d/f": "old", "/d/l": "-> f", "/d/sub": "dir", "/d/dangling": "-> fresh", "/open/f": "old", "/sticky/f": "old",
			})
			must(t, os.Chmod(files.root+"/open", 0o777))
			must(t, os.Chmod(files.root+"/sticky", 0o777|os.ModeSticky))
			if err := files.Write(c.path, []byte("new"), c.o); !errors.Is(err, c.want) {
				t.Errorf("Write = %v, want %v", err, c.want)
			}
			if raw, _ := files.Read(c.file, 100); string(raw) != c.text {
				t.Errorf("%s holds %q, want %q", c.file, raw, c.text)
			}
			wantNoTemp(t, files.root)
		})
	}
}

func TestWriteRefusesTheFolderOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: gives files to another user")
	}
	files := place(t, map[string]string{"/home/f": "old"})
	must(t, os.Chown(files.root+"/home", 65534, 65534))
	if err := files.Write("/home/f", nil, WriteOptions{}); !errors.Is(err, ErrUntrusted) {
		t.Errorf("Write of a file of root = %v, want ErrUntrusted", err)
	}
	if err := files.Write("/home/f", nil, WriteOptions{UID: ptr(65534)}); err != nil {
		t.Errorf("Write of a file of the user = %v, want nil", err)
	}
}

func wantNoTemp(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Base(path), tempPrefix) {
			t.Errorf("%s was left behind", path)
		}
		return err
	})
	must(t, err)
}

func TestWriteSweepsWhatAKilledRunLeft(t *testing.T) {
	files := place(t, map[string]string{"/d/f": "old"})
	s, err := files.find("/d/f", false)
	must(t, err)
	defer s.close()
	ours := filepath.Join(files.root, "d", s.tempName())
	others := filepath.Join(files.root, "d", tempPrefix+"000000000000-XYZ")
	for _, name := range []string{ours, others} {
		must(t, os.WriteFile(name, nil, 0o600))
	}
	must(t, files.Write("/d/f", []byte("new"), WriteOptions{}))
	if _, err := os.Lstat(ours); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("our leftover is still there: %v", err)
	}
	if _, err := os.Lstat(others); err != nil {
		t.Errorf("the temporary file of another file is gone: %v", err)
	}
}

// A folder is listed once in a run, and still each file in it is rid of its own.
func TestWritesSweepOneByOne(t *testing.T) {
	files := place(t, map[string]string{"/d/f": "old", "/d/g": "old"})
	for _, name := range []string{"/d/f", "/d/g"} {
		s, err := files.find(name, false)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(files.root, "d", s.tempName()), nil, 0o600))
		s.close()
	}
	must(t, files.Write("/d/f", []byte("new"), WriteOptions{}))
	must(t, files.Write("/d/g", []byte("new"), WriteOptions{}))
	wantNoTemp(t, files.root)
}

func TestValidateSeesTheFinishedFile(t *testing.T) {
	files := place(t, map[string]string{"/d/f": "old", "/via": "-> d"})
	seen := ""
	check := func(temp string) error {
		raw, err := os.ReadFile(temp)
		seen = fmt.Sprintf("%s %s %v", filepath.Dir(temp), raw, err)
		return nil
	}
	must(t, files.Write("/via/f", []byte("new"), WriteOptions{Validate: check}))
	if want := files.root + "/d new <nil>"; seen != want {
		t.Errorf("the validator saw %q, want %q", seen, want)
	}
}

func TestFullDiskKeepsTheOldFile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts a small file system")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("needs mount: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	files := (&System{Root: dir}).Files()
	must(t, files.Write("/f", []byte("old"), WriteOptions{}))
	if err := files.Write("/f", make([]byte, 1<<20), WriteOptions{}); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("Write to a full disk = %v, want ENOSPC", err)
	}
	if raw, err := files.Read("/f", 100); string(raw) != "old" {
		t.Errorf("the file holds %q, %v, want old", raw, err)
	}
	wantNoTemp(t, dir)
}
