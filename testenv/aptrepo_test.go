package testenv_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumb/testenv"
)

const repositoryURL = "http://" + testenv.ServerAddress + ":8000/"

// serveRepository makes a repository and serves it to a world.
func serveRepository(t *testing.T, w *testenv.World) *testenv.AptRepository {
	t.Helper()
	r, err := testenv.NewAptRepository(t.Context(), t.TempDir())
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

func publish(t *testing.T, r *testenv.AptRepository, suite string, packages ...testenv.AptPackage) {
	t.Helper()
	if err := r.Publish(t.Context(), suite, packages...); err != nil {
		t.Fatal(err)
	}
}

func TestAptInstallsAndUpgradesFromASignedSuite(t *testing.T) {
	world := newWorld(t, 1)
	r := serveRepository(t, world)
	h1 := host(t, world, 1)
	publish(t, r, "stable", testenv.AptPackage{Name: "widget", Version: "1.0"})
	if err := h1.UseRepository(r, repositoryURL, "stable"); err != nil {
		t.Fatal(err)
	}
	mustExec(t, h1, "apt-get", "update")
	mustExec(t, h1, "apt-get", "install", "-y", "widget")
	if got := mustExec(t, h1, "widget"); got != "widget 1.0" {
		t.Errorf("widget = %q, want widget 1.0", got)
	}

	publish(t, r, "stable", testenv.AptPackage{Name: "widget", Version: "1.1"})
	mustExec(t, h1, "apt-get", "update")
	if got := mustExec(t, h1, "apt-get", "-s", "upgrade"); !strings.Contains(got, "Inst widget [1.0] (1.1 Test-stable:stable") {
		t.Errorf("apt does not offer widget 1.1 of Test-stable:\n%s", got)
	}
	mustExec(t, h1, "apt-get", "upgrade", "-y")
	if got := mustExec(t, h1, "widget"); got != "widget 1.1" {
		t.Errorf("widget = %q, want widget 1.1", got)
	}
}

func TestAptRefusesASuiteThatWasTamperedWith(t *testing.T) {
	world := newWorld(t, 1)
	r := serveRepository(t, world)
	h1 := host(t, world, 1)
	publish(t, r, "stable", testenv.AptPackage{Name: "widget", Version: "1.0"})
	if err := h1.UseRepository(r, repositoryURL, "stable"); err != nil {
		t.Fatal(err)
	}
	release := filepath.Join(r.Served(), "dists", "stable", "InRelease")
	signed, err := os.ReadFile(release)
	if err != nil {
		t.Fatal(err)
	}
	forged := strings.Replace(string(signed), "Label: Test-stable", "Label: Test-forged", 1)
	if err := os.WriteFile(release, []byte(forged), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := h1.Exec(t.Context(), "apt-get", "update", "--error-on=any"); err == nil {
		t.Errorf("apt takes a forged suite:\n%s", out)
	}
}

func TestAptFailsWhenAPackageScriptFails(t *testing.T) {
	world := newWorld(t, 1)
	r := serveRepository(t, world)
	h1 := host(t, world, 1)
	publish(t, r, "stable", testenv.AptPackage{Name: "broken", Version: "1.0", Postinst: "exit 1"})
	if err := h1.UseRepository(r, repositoryURL, "stable"); err != nil {
		t.Fatal(err)
	}
	mustExec(t, h1, "apt-get", "update")
	if _, err := h1.Exec(t.Context(), "apt-get", "install", "-y", "broken"); err == nil {
		t.Error("apt installs a package whose postinst fails")
	}
	if got := mustExec(t, h1, "dpkg-query", "-W", "-f", "${Status}", "broken"); got != "install ok half-configured" {
		t.Errorf("status of broken = %q, want install ok half-configured", got)
	}
}
