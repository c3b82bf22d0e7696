package testenv_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumb/testenv"
)

// TestWatchOnAHost lets the tests of agent/watch run where systemd runs and fanotify may be used:
// once with their files on the overlay file system of the host, once on one of its memory.
func TestWatchOnAHost(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a minute: run it without -short")
	}
	world := newFlavourWorld(t, testenv.Debian)
	if why := os.Getenv(failureVariable); why != "" {
		t.Fatalf("cannot build the products: %s", why)
	}
	program := filepath.Join(os.Getenv(productsVariable), "watch.test")
	if _, err := os.Stat(program); err != nil {
		t.Skipf("needs the tests of agent/watch beside the products: %v", err)
	}
	h := host(t, world, 1)
	if err := h.Copy(program, "/usr/local/bin/watch.test", 0o755); err != nil {
		t.Fatal(err)
	}
	mustExec(t, h, "sh", "-c", "mkdir /srv/memory /srv/overlay && mount -t tmpfs tmpfs /srv/memory")
	for folder, must := range map[string][]string{
		"/srv/overlay": {"TestUnits", "TestTouched", "TestMountOverAPath", "TestWriterIsNamed"},
		"/srv/memory":  {"TestUnits", "TestTouched", "TestMountOverAPath", "TestWriterIsNamed", "TestWriterOnOverlay", "TestOverlay"},
	} {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			out, err := h.Exec(t.Context(), "env", "TMPDIR="+folder, "/usr/local/bin/watch.test", "-test.v", "-test.count=1")
			if err != nil {
				t.Errorf("the tests of agent/watch fail: %v\n%s", err, out)
			}
			for _, name := range must {
				if !strings.Contains(out, "--- PASS: "+name+" ") {
					t.Errorf("%s did not run to its end", name)
				}
			}
			for line := range strings.Lines(out) {
				if strings.Contains(line, "needs ") {
					t.Log(strings.TrimSpace(line))
				}
			}
		})
	}
}
