package state

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWritersReplaceWhatDiffers(t *testing.T) {
	for name, write := range map[string]func(string, ...[]byte) error{"durable": WriteFile, "cache": WriteCache} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			inode := func(want string) os.FileInfo {
				t.Helper()
				if err := write(path, []byte(want)); err != nil {
					t.Fatal(err)
				}
				info, err := os.Stat(path)
				if raw, _ := os.ReadFile(path); err != nil || string(raw) != want || info.Mode().Perm() != 0o600 {
					t.Fatalf("the file is %v with %q, %v, want %q of mode 0600", info, raw, err, want)
				}
				return info
			}
			one := inode("one")
			if same := inode("one"); !os.SameFile(one, same) {
				t.Error("the same bytes were written again")
			}
			two := inode("two")
			if os.SameFile(one, two) {
				t.Error("the file was changed in place")
			}
			if err := write(path, []byte("t"), []byte("wo")); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(path); err != nil || !os.SameFile(two, info) {
				t.Errorf("the same bytes in two parts were written again (%v)", err)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), tempMark+"*")); len(left) > 0 {
				t.Errorf("%v was left behind", left)
			}
			if err := write(filepath.Join(path, "x"), nil); err == nil {
				t.Error("no error below a file")
			}
		})
	}
}
