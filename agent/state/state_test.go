package state

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"plumb/agent/trust"
)

func open(t *testing.T) *Dir {
	t.Helper()
	d, err := Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOpenClosesTheFolder(t *testing.T) {
	path := t.TempDir()
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has the mode %o, want 700", info.Mode().Perm())
	}
}

func TestOnlyOneAgent(t *testing.T) {
	first := open(t)
	if err := first.Lock(); err != nil {
		t.Fatal(err)
	}
	second, err := Open(first.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Lock(); !errors.Is(err, ErrBusy) {
		t.Fatalf("Lock = %v, want ErrBusy", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.Lock(); err != nil {
		t.Errorf("Lock after the first one closed = %v", err)
	}
}

func TestFloorsSurviveTheLossOfACopy(t *testing.T) {
	want := trust.Floors{Counter: 9, Lease: "l", Release: 7, Oldest: 6, Time: time.Unix(1e9, 0).UTC()}
	spoil := map[string]func(path string) error{
		"removed": os.Remove,
		"emptied": func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"torn":    func(p string) error { return os.Truncate(p, 40) },
		"rewritten": func(p string) error {
			return os.WriteFile(p, []byte(`{"generation":99,"sum":"","floors":{"counter":1}}`), 0o600)
		},
	}
	for how, f := range spoil {
		for _, name := range floorFiles {
			t.Run(how+" "+name, func(t *testing.T) {
				d := open(t)
				if err := d.SaveFloors(want); err != nil {
					t.Fatal(err)
				}
				if err := f(d.file(name)); err != nil {
					t.Fatal(err)
				}
				got, err := d.Floors()
				if err != nil || got != want {
					t.Fatalf("Floors = %+v, %v; want %+v", got, err, want)
				}
				for _, copied := range floorFiles {
					if _, ok := d.floorCopy(copied); !ok {
						t.Errorf("%s was not healed", copied)
					}
				}
			})
		}
	}
}

func TestFloorsAfterAKillBetweenTheCopies(t *testing.T) {
	d := open(t)
	if err := d.SaveFloors(trust.Floors{Counter: 1}); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(d.file("floors.b"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.SaveFloors(trust.Floors{Counter: 2}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.file("floors.b"), old, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := d.Floors()
	if err != nil || got.Counter != 2 {
		t.Errorf("Floors = %+v, %v; want the newer copy", got, err)
	}
}

func TestFloorsNeverGoDown(t *testing.T) {
	d := open(t)
	high := trust.Floors{Counter: 9, Lease: "nine", Release: 7, Bundle: "b", Oldest: 6, Signers: 4, Time: time.Unix(1e9, 0).UTC()}
	for _, f := range []trust.Floors{high, {Counter: 3, Lease: "three", Release: 2, Oldest: 1}} {
		if err := d.SaveFloors(f); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := d.Floors(); err != nil || got != high {
		t.Errorf("Floors = %+v, %v; want %+v", got, err, high)
	}
}

func TestNoFloorsAtAll(t *testing.T) {
	if _, err := open(t).Floors(); !errors.Is(err, ErrNoFloors) {
		t.Errorf("Floors = %v, want ErrNoFloors", err)
	}
}

func TestKeyIsMadeOnce(t *testing.T) {
	d := open(t)
	first, err := d.Key()
	if err != nil {
		t.Fatal(err)
	}
	second, err := d.Key()
	if err != nil || !first.Equal(second) {
		t.Errorf("Key made another key: %v", err)
	}
	if info, _ := os.Stat(d.file(keyFile)); info.Mode().Perm() != 0o600 {
		t.Errorf("the key has the mode %o", info.Mode().Perm())
	}
}

func TestIdentity(t *testing.T) {
	d := open(t)
	if _, err := d.Identity(); !errors.Is(err, ErrNotEnrolled) {
		t.Fatalf("Identity = %v, want ErrNotEnrolled", err)
	}
	want := Identity{Server: "https://x:1", Enrolled: time.Unix(1e9, 0).UTC()}
	if err := d.Enroll(want, "cert", "signers"); err != nil {
		t.Fatal(err)
	}
	got, err := d.Identity()
	if err != nil || got.Server != want.Server {
		t.Errorf("Identity = %+v, %v", got, err)
	}
	if _, err := d.Floors(); err != nil {
		t.Errorf("enrolment left no floors: %v", err)
	}
}

func TestReleasesKeepOnlyWhatIsNamed(t *testing.T) {
	d := open(t)
	for _, name := range []string{"a", "b"} {
		if err := d.Hold(Held{Tag: name, Bundle: name}, []byte("t"), []byte("b")); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.SaveReleases(Releases{Good: &Held{Tag: "b", Bundle: "b"}}); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(d.file("releases"))
	if err != nil || len(left) != 2 || left[0].Name() != "b.bundle" {
		t.Errorf("releases holds %v, %v; want b.bundle and b.tag", left, err)
	}
	if _, err := d.Bundle(Held{Bundle: "b"}); err == nil {
		t.Error("a bundle with another digest was read")
	}
}

func TestLockSweepsWhatAKillLeft(t *testing.T) {
	d := open(t)
	apply, err := d.Sub("apply")
	if err != nil {
		t.Fatal(err)
	}
	left := []string{d.file(tempMark + "123"), filepath.Join(apply, tempMark+"456")}
	for _, path := range left {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Lock(); err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", path, err)
		}
	}
}

func TestPause(t *testing.T) {
	d, now := open(t), time.Unix(1e9, 0)
	if d.Paused(now) != nil {
		t.Error("a new host is paused")
	}
	if err := d.Pause(now.Add(time.Hour), ""); err == nil {
		t.Error("a pause without a reason was taken")
	}
	if err := d.Pause(now.Add(time.Hour), "why"); err != nil {
		t.Fatal(err)
	}
	if p := d.Paused(now); p == nil || p.Reason != "why" {
		t.Errorf("Paused = %+v", p)
	}
	if p := d.Paused(now.Add(time.Hour)); p != nil {
		t.Errorf("Paused after its end = %+v", p)
	}
	if err := os.WriteFile(d.file(pauseFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d.Paused(now) == nil {
		t.Error("a damaged pause was taken for none")
	}
	if err := d.Resume(); err != nil || d.Paused(now) != nil {
		t.Errorf("Resume = %v", err)
	}
}
