package system

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// ownMounts is set in the process that has its own mounts.
const ownMounts = "PLUMB_TEST_OWN_MOUNTS"

// aptHost is this machine with an empty dpkg database and one repository: its folders for
// packages are covered in a mount namespace that only the test's process sees. Everything else
// is real: apt, dpkg, the scripts of packages, the running kernel.
type aptHost struct {
	t       testing.TB
	s       *System
	apt     aptManager
	pool    string // of the repository that apt knows
	work    string
	fetches int // archives that apt fetched
}

// onAptHost runs the test in a process of its own, with its own mounts.
func onAptHost(t *testing.T, test func(h *aptHost)) {
	t.Helper()
	if os.Getenv(ownMounts) == "" {
		restart(t)
		return
	}
	h := &aptHost{t: t, s: &System{Root: "/", State: t.TempDir()}, work: t.TempDir()}
	h.apt = newAptManager(h.s)
	h.cover()
	test(h)
}

func restart(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"apt-get", "dpkg-deb", "apt-ftparchive"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: real packages are installed", tool)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: real packages are installed, in a namespace of mounts")
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v", "-test.timeout", "0")
	cmd.Env = append(os.Environ(), ownMounts+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, unix.EPERM) {
		t.Skip("needs mount namespaces: the kernel allows none")
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if testing.Verbose() {
		t.Logf("%s", out)
	}
}

// cover puts empty folders over all that belongs to the packages of the machine.
func (h *aptHost) cover() {
	h.t.Helper()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		h.t.Fatal(err)
	}
	for _, name := range []string{"/var/lib/dpkg", "/var/lib/apt", "/var/cache", "/etc/apt", "/var/log", "/opt", "/boot"} {
		if err := errors.Join(os.MkdirAll(name, 0o755), unix.Mount("tmpfs", name, "tmpfs", 0, "mode=755")); err != nil {
			h.t.Fatal(err)
		}
	}
	for _, name := range []string{"/var/lib/dpkg/info", "/var/lib/dpkg/updates", "/var/lib/dpkg/triggers", "/var/lib/apt/lists/partial", "/etc/apt/preferences.d", "/var/log/apt", "/var/cache/apt/archives/partial"} {
		h.must(os.MkdirAll(name, 0o755))
	}
	h.write("/var/lib/dpkg/status", "Maintainer: x <x@example.org>\n"+stanza("dpkg", "amd64", "install ok installed", "1.21.22"))
	h.write("/var/lib/dpkg/info/dpkg.list", "")
	h.write("/var/lib/dpkg/info/dpkg.md5sums", "")
	h.write("/etc/apt/sources.list", "deb [trusted=yes] "+h.serve()+" ./\n")
}

// serve answers for the repository over HTTP, as a mirror does.
func (h *aptHost) serve() string {
	h.pool = filepath.Join(h.work, "repository")
	h.must(os.MkdirAll(h.pool, 0o755))
	files := http.FileServer(http.Dir(h.pool))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("If-Modified-Since") // two publications in one second are two
		if strings.HasSuffix(r.URL.Path, ".deb") {
			h.fetches++
		}
		files.ServeHTTP(w, r)
	}))
	h.t.Cleanup(server.Close)
	return server.URL
}

func (h *aptHost) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *aptHost) write(name, text string) {
	h.t.Helper()
	h.must(errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)))
}

// testDeb is one small package: "name 1.0" and what more its control file has.
type testDeb struct {
	id    string // name and version
	more  string // lines of the control file
	files map[string]string
	conf  []string          // which of the files are configuration
	run   map[string]string // maintainer scripts
}

// build makes the package's archive in a folder.
func (h *aptHost) build(to string, d testDeb) string {
	h.t.Helper()
	name, version, _ := strings.Cut(d.id, " ")
	tree := filepath.Join(h.work, "build")
	h.must(os.RemoveAll(tree))
	control := "Package: " + name + "\nVersion: " + version + "\nMaintainer: x <x@example.org>\nDescription: x\n"
	if !strings.Contains(d.more, "Architecture:") {
		control += "Architecture: all\n"
	}
	h.write(tree+"/DEBIAN/control", control+d.more)
	if !strings.Contains(d.more, "Multi-Arch: same") {
		h.write(tree+"/opt/"+name+"/version", version+"\n")
	}
	for file, text := range d.files {
		h.write(tree+file, text)
	}
	if len(d.conf) > 0 {
		h.write(tree+"/DEBIAN/conffiles", strings.Join(d.conf, "\n")+"\n")
	}
	for script, text := range d.run {
		h.write(tree+"/DEBIAN/"+script, "#!/bin/sh\nset -e\n"+text+"\n")
		h.must(os.Chmod(tree+"/DEBIAN/"+script, 0o755))
	}
	h.write(tree+"/DEBIAN/md5sums", "")
	_, arch, _ := strings.Cut(d.more, "Architecture: ")
	arch, _, _ = strings.Cut(arch, "\n")
	file := filepath.Join(to, name+"_"+strings.ReplaceAll(version, ":", "%3a")+"_"+arch+".deb")
	h.run("", "dpkg-deb", "-Zgzip", "--root-owner-group", "--build", tree, file)
	return file
}

// publish makes exactly these packages what the repository has, and fetches its list.
func (h *aptHost) publish(packages ...testDeb) {
	h.t.Helper()
	old, _ := filepath.Glob(h.pool + "/*")
	for _, name := range old {
		h.must(os.Remove(name))
	}
	for _, d := range packages {
		h.build(h.pool, d)
	}
	index := h.run(h.pool, "apt-ftparchive", "packages", ".")
	h.must(os.WriteFile(h.pool+"/Packages", index, 0o644))
	h.must(os.WriteFile(h.pool+"/Release", h.run(h.pool, "apt-ftparchive", "-o", "APT::FTPArchive::Release::Origin=Test", "release", "."), 0o644))
	h.must(h.apt.Update(h.t.Context()))
}

// have installs packages with dpkg alone, as they were before patching began.
func (h *aptHost) have(packages ...testDeb) {
	h.t.Helper()
	folder := filepath.Join(h.work, "before")
	h.must(os.MkdirAll(folder, 0o755))
	args := []string{"--force-depends", "--force-conflicts", "--force-breaks", "-i"}
	for _, d := range packages {
		args = append(args, h.build(folder, d))
	}
	h.run("", "dpkg", args...)
	h.s.ForgetDpkg()
}

func (h *aptHost) run(dir, name string, args ...string) []byte {
	h.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		h.t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, stdout.Bytes(), stderr.Bytes())
	}
	return stdout.Bytes()
}

// versions lists what is installed, beside dpkg itself.
func (h *aptHost) versions() string {
	h.t.Helper()
	there, err := h.apt.InstalledVersions(h.t.Context())
	h.must(err)
	var words []string
	for t := range there {
		if t.Name != "dpkg" {
			words = append(words, t.Name+"="+t.Version)
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// targets reads "lib=2 app=2".
func targets(text string) []Target {
	var list []Target
	for _, word := range strings.Fields(text) {
		name, version, _ := strings.Cut(word, "=")
		list = append(list, Target{Name: name, Arch: "all", Version: version})
	}
	return list
}

// stepsOf writes a plan's steps: "lib=2 | app=2".
func stepsOf(p PatchPlan) string {
	var steps []string
	for _, step := range p.Steps {
		steps = append(steps, listOf(step))
	}
	return strings.Join(steps, " | ")
}

func listOf(list []Target) string {
	var words []string
	for _, t := range list {
		words = append(words, t.Name+"="+t.Version)
	}
	return strings.Join(words, " ")
}

func (h *aptHost) plan(wanted string) PatchPlan {
	h.t.Helper()
	p, err := h.apt.PlanPatch(h.t.Context(), targets(wanted))
	h.must(err)
	return p
}

// patch plans, fetches and installs all steps.
func (h *aptHost) patch(wanted string) error {
	h.t.Helper()
	for _, step := range h.plan(wanted).Steps {
		if err := h.apt.FetchPatch(h.t.Context(), step); err != nil {
			return err
		}
		if err := h.apt.InstallPatch(h.t.Context(), step, "keep"); err != nil {
			return err
		}
	}
	return nil
}

func deb(id, more string) testDeb { return testDeb{id: id, more: more} }

// heldOf writes what is held: "app 2: a; b".
func heldOf(p PatchPlan) string {
	held := map[string]string{}
	for _, h := range p.Held {
		held[h.Name] = fmt.Sprintf("%s %s: %s", h.Name, h.Version, strings.Join(h.Chain, "; "))
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(held)) {
		lines = append(lines, held[name])
	}
	return strings.Join(lines, "\n")
}

// save keeps the database of dpkg and all that the packages brought, and restore brings it back.
func (h *aptHost) save(folder string) {
	h.t.Helper()
	h.must(os.MkdirAll(folder+"/var/lib", 0o755))
	h.run("", "cp", "-a", "/var/lib/dpkg", folder+"/var/lib")
	h.run("", "cp", "-a", "/opt", folder)
}

func (h *aptHost) restore(folder string) {
	h.t.Helper()
	for _, name := range []string{"/var/lib/dpkg", "/opt"} {
		entries, err := os.ReadDir(name)
		h.must(err)
		for _, e := range entries {
			h.must(os.RemoveAll(filepath.Join(name, e.Name())))
		}
		h.run("", "cp", "-a", folder+name+"/.", name)
	}
	h.s.ForgetDpkg()
}
