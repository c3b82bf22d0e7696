package system

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

const passwd = "# a note\nroot:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/srv/web:/bin/false\ntoor:x:0:0::/root:\n+nis\nbad:x:-5:0\nshort\n"

func TestAccounts(t *testing.T) {
	files := place(t, map[string]string{"/etc/passwd": passwd, "/etc/group": "root:x:0:\nwww:x:34:web\n"})
	sys := &System{Root: files.root}
	ctx := context.Background()
	for name, want := range map[string]int{"root": 0, "web": 33, "toor": 0, "33": 33, "4242": 4242} {
		if id, err := sys.UserID(ctx, name); id != want || err != nil {
			t.Errorf("UserID(%s) = %d, %v, want %d", name, id, err, want)
		}
	}
	for _, name := range []string{"nobody-here", "bad", "", "-1", "99999999999", "+nis"} {
		if _, err := sys.UserID(ctx, name); !errors.Is(err, ErrNoAccount) {
			t.Errorf("UserID(%q) = %v, want ErrNoAccount", name, err)
		}
	}
	if id, err := sys.GroupID(ctx, "www"); id != 34 || err != nil {
		t.Errorf("GroupID(www) = %d, %v, want 34", id, err)
	}
	if got := sys.UserName(0) + sys.UserName(77) + sys.GroupName(34); got != "root77www" {
		t.Errorf("names = %q, want root77www", got)
	}
	// The table is read again when somebody changed it.
	must(t, os.WriteFile(files.root+"/etc/passwd", []byte("late:x:5:5:::\n"), 0o644))
	must(t, os.Chtimes(files.root+"/etc/passwd", time.Time{}, time.Unix(1, 0)))
	if id, err := sys.UserID(ctx, "late"); id != 5 || err != nil {
		t.Errorf("UserID(late) = %d, %v, want 5", id, err)
	}
}

func TestAccountsOfTheRunningHost(t *testing.T) {
	sys := &System{}
	if id, err := sys.UserID(context.Background(), "root"); id != 0 || err != nil {
		t.Errorf("UserID(root) = %d, %v, want 0", id, err)
	}
	if _, err := sys.UserID(context.Background(), "plumb-nobody"); !errors.Is(err, ErrNoAccount) {
		t.Errorf("UserID(plumb-nobody) = %v, want ErrNoAccount", err)
	}
}

func FuzzParseAccounts(f *testing.F) {
	f.Add(passwd)
	f.Add("a:b:c\n\n::::::\n")
	f.Fuzz(func(t *testing.T, text string) {
		for name, a := range parseAccounts(text).byName {
			if name == "" || a.id < 0 {
				t.Errorf("parseAccounts(%q) has %+v", text, a)
			}
		}
	})
}
