package system

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// keeping returns a host with a file /d/e/f that was read on a trail, which is older than a moment now.
func keeping(t *testing.T) (*System, string) {
	t.Helper()
	root := t.TempDir()
	sys := &System{Root: root}
	lay(t, root, "old")
	t.Cleanup(sys.KeepFolders())
	if got := content(t, sys); got != "old" {
		t.Fatalf("Load() = %q, want old", got)
	}
	if len(sys.trails.kept) != 1 {
		t.Fatalf("%d trails are kept, want 1", len(sys.trails.kept))
	}
	sys.trails.kept[0].looked = time.Now().Add(-moment)
	return sys, root
}

func lay(t *testing.T, root, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Join(root, "d/e"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "d/e/f"), []byte(text), 0o644))
}

func content(t *testing.T, sys *System) string {
	t.Helper()
	_, raw, err := sys.Files().Load("/d/e/f", false, 100)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestTrailIsLeftWhenAFolderWasSwapped(t *testing.T) {
	for _, swapped := range []string{"d", "d/e"} {
		sys, root := keeping(t)
		must(t, os.Rename(filepath.Join(root, swapped), filepath.Join(root, "away")))
		lay(t, root, "new")
		if got := content(t, sys); got != "new" {
			t.Errorf("Load() = %q after %s was swapped, want new", got, swapped)
		}
	}
}

func TestTrailIsLeftWhenALinkTookThePlaceOfAFolder(t *testing.T) {
	sys, root := keeping(t)
	must(t, os.Rename(filepath.Join(root, "d"), filepath.Join(root, "away")))
	must(t, os.Chmod(root, 0o777)) // anybody could have made the link
	must(t, os.Symlink("away", filepath.Join(root, "d")))
	if _, _, err := sys.Files().Load("/d/e/f", false, 100); err == nil {
		t.Error("Load() followed a link that anybody could have made")
	}
}

func TestTrailSeesThatAFolderWasOpenedToOthers(t *testing.T) {
	sys, root := keeping(t)
	must(t, os.Chmod(filepath.Join(root, "d"), 0o777))
	if e, _, err := sys.Files().Load("/d/e/f", false, 100); err != nil || e.Sure {
		t.Errorf("Load() = sure %v, %v, want one that is not sure: others may swap its folder", e.Sure, err)
	}
}

func TestAFreshTrailIsNotLookedAtAgain(t *testing.T) {
	sys, root := keeping(t)
	sys.trails.kept[0].looked = time.Now().Add(time.Hour)
	must(t, os.Rename(filepath.Join(root, "d"), filepath.Join(root, "away")))
	if got := content(t, sys); got != "old" {
		t.Errorf("Load() = %q, want the file that was there a moment ago", got)
	}
}

func TestTrailsCloseWhatTheyOpened(t *testing.T) {
	root := t.TempDir()
	sys := &System{Root: root}
	for n := range 8 {
		lay(t, filepath.Join(root, fmt.Sprint(n%4), "x"), "text")
	}
	before := descriptors(t)
	release := sys.KeepFolders()
	for n := range 200 {
		name := fmt.Sprintf("/%d/x/d/e/f", n%5) // the fifth is not there
		if _, raw, err := sys.Files().Load(name, false, 100); (n%5 == 4) != (err != nil) || err == nil && string(raw) != "text" {
			t.Fatalf("Load(%s) = %q, %v", name, raw, err)
		}
		if n%3 == 0 && len(sys.trails.kept) > 0 {
			sys.trails.kept[0].looked = time.Time{}
		}
	}
	release()
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors are open, want the %d of before", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
