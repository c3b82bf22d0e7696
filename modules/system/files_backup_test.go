package system

import (
	"errors"
	"os"
	"testing"
)

func TestBackups(t *testing.T) {
	files := place(t, map[string]string{"/etc/f": "0", "/etc/d": "dir"})
	sys := &System{Root: files.root, State: t.TempDir()}
	if _, err := sys.Original("/etc/f"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Original of nothing = %v, want ErrNotExist", err)
	}
	for _, text := range []string{"1", "2", "3", "4", "5"} {
		must(t, sys.SaveBackup("/etc/f", 2))
		must(t, files.Write("/etc/f", []byte(text), WriteOptions{Mode: ptr[uint32](0o600)}))
	}
	if b, err := sys.Original("/etc/f"); err != nil || string(b.Content) != "0" || b.Mode != 0o644 {
		t.Errorf("Original = %+v, %v, want the first content", b, err)
	}
	if got := sys.backupVersions("/etc/f"); len(got) != 3 {
		t.Errorf("kept %v, want the first and the newest two", got)
	}
	must(t, sys.Restore("/etc/f"))
	if e, raw, err := files.Load("/etc/f", false, 10); err != nil || string(raw) != "0" || e.Perm != 0o644 {
		t.Errorf("after Restore the file is %04o %q, %v, want 0644 0", e.Perm, raw, err)
	}
	must(t, sys.SaveBackup("/etc/d", 2))
	must(t, (&System{Root: files.root}).SaveBackup("/etc/f", 2))
	info, err := os.Stat(sys.State + sys.backupVersions("/etc/f")[0])
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the backup has mode %v, %v, want 0600", info.Mode(), err)
	}
}

// What Plumb itself made has no older content: to bring it back is to remove it.
func TestRestoreOfANewFile(t *testing.T) {
	files := place(t, map[string]string{"/etc": "dir"})
	sys := &System{Root: files.root, State: t.TempDir()}
	for _, text := range []string{"1", "2", "3"} {
		must(t, sys.SaveBackup("/etc/f", 3))
		must(t, files.Write("/etc/f", []byte(text), WriteOptions{}))
	}
	must(t, sys.Restore("/etc/f"))
	if there, err := files.Exists("/etc/f"); there || err != nil {
		t.Errorf("Exists = %v, %v, want no file", there, err)
	}
	if err := sys.Restore("/etc/other"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Restore of nothing = %v, want ErrNotExist", err)
	}
}
