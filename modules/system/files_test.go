package system

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// place makes files ("text"), folders ("dir"), links ("-> target") in a new root.
func place(t *testing.T, things map[string]string) Files {
	t.Helper()
	root := t.TempDir()
	s := &System{Root: root}
	for name, what := range things {
		if what == "dir" {
			must(t, os.MkdirAll(filepath.Join(root, name), 0o755))
		}
	}
	for name, what := range things {
		full := filepath.Join(root, name)
		must(t, os.MkdirAll(filepath.Dir(full), 0o755))
		if target, ok := strings.CutPrefix(what, "-> "); ok {
			must(t, os.Symlink(target, full))
		} else if what != "dir" {
			must(t, os.WriteFile(full, []byte(what), 0o644))
		}
	}
	return s.Files()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestReadStaysBelowTheRoot(t *testing.T) {
	files := place(t, map[string]string{
		"/usr/bin/tool": "tool", "/bin": "-> usr/bin", "/run/lock": "lock", "/var/run": "-> /run",
		"/etc/a": "-> b", "/etc/b": "-> /etc/c", "/etc/c": "end", "/loop": "-> /loop",
		"/etc/passwd": "inside", "/up": "-> ../../../../../../etc/passwd", "/dots": "-> /etc/../etc/./c",
		"/gone": "-> /nowhere",
	})
	cases := map[string]struct {
		path, want string
		err        error
	}{
		"plain":                 {"/etc/c", "end", nil},
		"relative link":         {"/bin/tool", "tool", nil},
		"absolute link":         {"/var/run/lock", "lock", nil},
		"chain of links":        {"/etc/a", "end", nil},
		"dots in a link":        {"/dots", "end", nil},
		"cannot climb out":      {"/up", "inside", nil},
		"loop":                  {"/loop", "", unix.ELOOP},
		"leads nowhere":         {"/gone", "", fs.ErrNotExist},
		"missing":               {"/nope", "", fs.ErrNotExist},
		"missing folder":        {"/nope/nope", "", fs.ErrNotExist},
		"file is no folder":     {"/etc/c/x", "", unix.ENOTDIR},
		"folder is no file":     {"/etc", "", ErrNotFile},
		"the root is no file":   {"/", "", ErrNotFile},
		"more than is expected": {"/usr/bin/tool", "tool", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := files.Read(c.path, 100)
			if string(got) != c.want || !errors.Is(err, c.err) {
				t.Errorf("Read(%s) = %q, %v, want %q, %v", c.path, got, err, c.want, c.err)
			}
		})
	}
	if _, err := files.Read("/usr/bin/tool", 3); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Read with a limit of 3 = %v, want ErrTooLarge", err)
	}
	if _, err := files.ReadNoFollow("/etc/a", 100); !errors.Is(err, ErrNotFile) {
		t.Errorf("ReadNoFollow of a link = %v, want ErrNotFile", err)
	}
	for _, bad := range []string{"", "etc/c", "/etc/../etc/c", "/etc/c\x00"} {
		if _, err := files.Stat(bad); err == nil {
			t.Errorf("Stat(%q) = nil, want an error", bad)
		}
	}
}

func TestStatTellsLinksFromWhatTheyLeadTo(t *testing.T) {
	files := place(t, map[string]string{"/d/f": "12345", "/d/l": "-> f", "/via": "-> d"})
	link, err := files.Stat("/via/l")
	if err != nil || !link.IsLink() || link.Target != "f" || link.Path != "/d/l" {
		t.Errorf("Stat = %+v, %v, want the link itself at its real path", link, err)
	}
	file, err := files.StatFollow("/via/l")
	if err != nil || !file.IsFile() || file.Size != 5 || file.Path != "/d/f" || !file.Sure {
		t.Errorf("StatFollow = %+v, %v, want the file", file, err)
	}
	list, err := files.List("/via")
	if err != nil || len(list) != 2 || list[0].Path != "/d/f" || list[1].TypeName() != "link" {
		t.Errorf("List = %+v, %v, want two entries", list, err)
	}
}

func TestLinksOfOthersAreNotFollowed(t *testing.T) {
	build := func(t *testing.T) (Files, string) {
		f := place(t, map[string]string{"/secret/f": "secret", "/d/sub/l": "-> /secret", "/d/l": "-> /secret"})
		return f, f.root
	}
	cases := map[string]struct {
		prepare func(t *testing.T, root string)
		path    string
		want    error
		root    bool
	}{
		"a folder of ours": {func(*testing.T, string) {}, "/d/l/f", nil, false},
		"everybody may write": {func(t *testing.T, root string) {
			must(t, os.Chmod(root+"/d", 0o777))
		}, "/d/l/f", ErrUntrusted, false},
		"a group may write": {func(t *testing.T, root string) {
			must(t, os.Chmod(root+"/d", 0o775))
		}, "/d/l/f", ErrUntrusted, false},
		"sticky, our link": {func(t *testing.T, root string) {
			must(t, os.Chmod(root+"/d", 0o777|os.ModeSticky))
		}, "/d/l/f", nil, false},
		"sticky, our link under a second name": {func(t *testing.T, root string) {
			must(t, os.Chmod(root+"/d", 0o777|os.ModeSticky))
			must(t, unix.Linkat(unix.AT_FDCWD, root+"/d/l", unix.AT_FDCWD, root+"/d/m", 0))
		}, "/d/m/f", ErrUntrusted, false},
		"sticky, somebody's link": {func(t *testing.T, root string) {
			must(t, os.Chmod(root+"/d", 0o777|os.ModeSticky))
			must(t, os.Lchown(root+"/d/l", 65534, 65534))
		}, "/d/l/f", ErrUntrusted, true},
		"somebody's folder": {func(t *testing.T, root string) {
			must(t, os.Lchown(root+"/d", 65534, 65534))
		}, "/d/l/f", ErrUntrusted, true},
		"our folder in somebody's": {func(t *testing.T, root string) {
			must(t, os.Lchown(root+"/d", 65534, 65534))
		}, "/d/sub/l/f", ErrUntrusted, true},
		"our folder where all may rename": {func(t *testing.T, root string) {
			must(t, os.Chmod(root+"/d", 0o777))
		}, "/d/sub/l/f", ErrUntrusted, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.root && os.Geteuid() != 0 {
				t.Skip("needs root: gives files to another user")
			}
			files, root := build(t)
			c.prepare(t, root)
			if _, err := files.Read(c.path, 100); !errors.Is(err, c.want) {
				t.Errorf("Read(%s) = %v, want %v", c.path, err, c.want)
			}
			err := files.Write(c.path, []byte("x"), WriteOptions{Shared: true})
			if !errors.Is(err, c.want) {
				t.Errorf("Write(%s) = %v, want %v", c.path, err, c.want)
			}
		})
	}
}

// The links of a real host are root's and must work as they always did.
func TestRealLinksLeadWhereTheyShould(t *testing.T) {
	files := (&System{}).Files()
	checked := 0
	for _, dir := range []string{"/", "/etc", "/etc/alternatives", "/var", "/usr/lib", "/usr/bin", "/dev"} {
		list, err := os.ReadDir(dir)
		must(t, err)
		for _, e := range list {
			name := filepath.Join(dir, e.Name())
			want, err := os.Stat(name)
			if e.Type()&fs.ModeSymlink == 0 || err != nil || strings.HasPrefix(name, "/dev/std") || name == "/dev/fd" {
				continue
			}
			got, err := files.StatFollow(name)
			if err != nil || got.Size != want.Size() || got.Type != want.Mode().Type() || !got.Modified.Equal(want.ModTime()) {
				t.Errorf("StatFollow(%s) = %+v, %v, want what os.Stat finds: %v", name, got, err, want)
			}
			checked++
		}
	}
	t.Logf("%d links", checked)
	if checked == 0 {
		t.Skip("needs links in the system folders: there are none")
	}
}

func TestReadDoesNotHangOnAPipe(t *testing.T) {
	files := place(t, map[string]string{"/d": "dir"})
	must(t, unix.Mkfifo(files.root+"/d/pipe", 0o644))
	if _, err := files.Read("/d/pipe", 100); !errors.Is(err, ErrNotFile) {
		t.Errorf("Read of a pipe = %v, want ErrNotFile", err)
	}
}

func TestGlob(t *testing.T) {
	files := place(t, map[string]string{
		"/etc/a.d/1.conf": "", "/etc/a.d/2.conf": "", "/etc/a.d/.hidden.conf": "", "/etc/b.d/1.conf": "",
		"/etc/a.d/readme": "", "/etc/file": "", "/link": "-> etc",
	})
	cases := map[string]string{
		"/etc/a.d/*.conf":   "/etc/a.d/1.conf /etc/a.d/2.conf",
		"/etc/*.d/1.conf":   "/etc/a.d/1.conf /etc/b.d/1.conf",
		"/link/a.d/[1].*":   "/link/a.d/1.conf",
		"/etc/a.d/.*":       "/etc/a.d/.hidden.conf",
		"/etc/file/*":       "",
		"/nope/*":           "",
		"/etc/a.d/readme":   "/etc/a.d/readme",
		"/etc/a.d/readme/x": "",
	}
	for pattern, want := range cases {
		got, err := files.Glob(pattern, 10)
		if strings.Join(got, " ") != want || err != nil {
			t.Errorf("Glob(%s) = %q, %v, want %q", pattern, got, err, want)
		}
	}
	if _, err := files.Glob("/etc/a.d/*", 1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Glob with a limit of 1 = %v, want ErrTooLarge", err)
	}
}
