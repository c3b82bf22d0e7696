package testenv_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"plumb/testenv"
)

// kernel is a package of which several versions are installed side by side.
func kernel(version string) testenv.RPMPackage {
	return testenv.RPMPackage{Name: "kernel-core", Version: version, Arch: "x86_64", Bare: true,
		Provides: "kernel installonlypkg(kernel) multiversion(kernel)",
		Files:    map[string]string{"/usr/lib/modules/" + version + ".x86_64/vmlinuz": version}}
}

func oldRPMs() []testenv.RPMPackage {
	return []testenv.RPMPackage{
		{Name: "widget", Version: "1.0"}, {Name: "gadget", Version: "1.0"}, {Name: "broken", Version: "1.0"},
		{Name: "clash", Version: "1.0"}, {Name: "libthing", Version: "1.0"}, {Name: "thing", Version: "1.0", Requires: "libthing = 1.0"},
		{Name: "epochal", Version: "7.0", Replace: true}, {Name: "old", Version: "1.0"}, {Name: "slow", Version: "1.0"}, kernel("5.14.0-1"),
	}
}

func newRPMs() []testenv.RPMPackage {
	return []testenv.RPMPackage{
		{Name: "widget", Version: "1.1"}, {Name: "gadget", Version: "1.1", Requires: "helper"}, {Name: "helper", Version: "0.1"},
		{Name: "broken", Version: "1.1", Post: "echo boom >&2\nexit 1"}, {Name: "clash", Version: "1.1", Requires: "absent >= 2"},
		{Name: "libthing", Version: "1.1"}, {Name: "thing", Version: "1.1", Requires: "libthing = 1.1"},
		{Name: "epochal", Version: "1:0.5", Replace: true}, {Name: "new", Version: "1.0", Obsoletes: "old"}, kernel("5.14.0-2"),
		{Name: "slow", Version: "1.1", Post: "touch /run/slow-began\n[ -e /run/slow-fast ] || sleep 60\ntouch /run/slow-ended"},
	}
}

// serveRPMs makes the repositories base and updates, and serves them to a world.
func serveRPMs(t *testing.T, w *testenv.World) *testenv.RPMRepository {
	t.Helper()
	r, err := testenv.NewRPMRepository(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, packages := range map[string][]testenv.RPMPackage{"base": oldRPMs(), "updates": newRPMs()} {
		if err := r.Publish(t.Context(), name, packages...); err != nil {
			t.Fatal(err)
		}
	}
	err = r.Announce(t.Context(), "updates",
		testenv.RPMNotice{ID: "TEST-2026:1", Type: "security", Severity: "Important", CVEs: []string{"CVE-2026-0001", "CVE-2026-0002"},
			Fixes: []testenv.RPMPackage{{Name: "widget", Version: "1.1"}}},
		testenv.RPMNotice{ID: "TEST-2026:2", Type: "bugfix", Severity: "None", Reboot: true, Fixes: []testenv.RPMPackage{{Name: "epochal", Version: "1:0.5"}}})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := w.Listen(testenv.ServerAddress + ":8000")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: r.Handler()}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return r
}

// newFlavourWorld starts a world with one host of each flavour, which ends with the test.
func newFlavourWorld(t *testing.T, flavours ...testenv.Flavour) *testenv.World {
	t.Helper()
	cache := needCache(t)
	for _, f := range flavours {
		if why := testenv.MissingFlavour(cache, f); why != "" && os.Getenv(requiredVariable) == "" {
			t.Skip(why)
		} else if why != "" {
			t.Fatal(why)
		}
	}
	world := newWorld(t, 0)
	if err := world.BootFlavours(t.Context(), flavours...); err != nil {
		t.Fatal(err)
	}
	return world
}

// TestRPMHosts lets the tests of dnf and zypper in modules/system run on hosts that are theirs.
func TestRPMHosts(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a minute: run it without -short")
	}
	flavours := []testenv.Flavour{testenv.Dnf, testenv.Zypper}
	world := newFlavourWorld(t, flavours...)
	if why := os.Getenv(failureVariable); why != "" {
		t.Fatalf("cannot build the products: %s", why)
	}
	if _, err := os.Stat(filepath.Join(os.Getenv(productsVariable), "system.test")); err != nil {
		t.Skipf("needs the tests of modules/system beside the products: %v", err)
	}
	r := serveRPMs(t, world)
	for i, flavour := range flavours {
		t.Run(string(flavour), func(t *testing.T) {
			t.Parallel()
			h := host(t, world, i+1)
			prepareRPMHost(t, h, r, flavour)
			checkRPMFacts(t, h, flavour)
			out, err := h.Exec(t.Context(), "env", "PLUMB_TEST_RPM_HOST="+string(flavour), "PLUMB_SOAK="+os.Getenv("PLUMB_SOAK"), "TMPDIR=/var/tmp",
				"/usr/local/bin/system.test", "-test.v", "-test.run", "^TestOnRPMHost$")
			t.Log(out)
			if err != nil || !strings.Contains(out, "--- PASS: TestOnRPMHost") {
				t.Errorf("the tests of %s fail on its host: %v", flavour, err)
			}
		})
	}
}

// prepareRPMHost brings the programs, the repositories and the old versions.
func prepareRPMHost(t *testing.T, h *testenv.Host, r *testenv.RPMRepository, flavour testenv.Flavour) {
	t.Helper()
	group, _ := errgroup.WithContext(context.Background())
	for _, program := range []string{"system.test", "plumb-agent"} {
		group.Go(func() error {
			return h.Copy(filepath.Join(os.Getenv(productsVariable), program), "/usr/local/bin/"+program, 0o755)
		})
	}
	group.Go(func() error { return h.Copy(filepath.Join(r.Served(), "key.asc"), "/etc/testenv.asc", 0o644) })
	for _, name := range []string{"base", "updates"} {
		group.Go(func() error { return h.UseRPMRepository(repositoryURL, name) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	mustExec(t, h, "rpm", "--import", "/etc/testenv.asc")
	install := []string{"dnf", "-q", "-y", "install"}
	if flavour == testenv.Zypper {
		mustExec(t, h, "zypper", "-n", "--gpg-auto-import-keys", "refresh")
		install = []string{"zypper", "-n", "install", "--from", "base"}
	}
	for _, p := range oldRPMs() {
		version := "-" + p.Version
		if flavour == testenv.Zypper {
			version = "=" + p.Version
		}
		install = append(install, p.Name+version)
	}
	mustExec(t, h, install[0], install[1:]...)
}

// checkRPMFacts looks at the facts that depend on the package manager.
func checkRPMFacts(t *testing.T, h *testenv.Host, flavour testenv.Flavour) {
	t.Helper()
	var facts struct {
		PackageManager string            `json:"package_manager"`
		Packages       map[string]string `json:"packages"`
	}
	if err := json.Unmarshal([]byte(mustExec(t, h, "plumb-agent", "facts")), &facts); err != nil {
		t.Fatal(err)
	}
	if facts.PackageManager != string(flavour) || facts.Packages["widget"] != "1.0-1" || facts.Packages["systemd"] != "" {
		t.Errorf("facts: package manager %q, widget %q, systemd %q, want %s, 1.0-1, and none of dpkg's",
			facts.PackageManager, facts.Packages["widget"], facts.Packages["systemd"], flavour)
	}
}
