package system

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/policies"
)

// A script that fails is named with what it said; the package stays broken until a version
// comes that works, and nothing is removed.
func TestAptNamesTheScriptThatFailed(t *testing.T) {
	onAptHost(t, func(h *aptHost) {
		h.have(deb("broken 1", ""), deb("fine 1", ""))
		bad := testDeb{id: "broken 1.1", run: map[string]string{"postinst": "echo 'no such user' >&2; exit 3"}}
		h.publish(bad, deb("fine 2", ""), deb("broken 1.2", ""))
		err := h.patch("broken=1.1")
		if err == nil || !strings.Contains(err.Error(), "postinst of broken 1.1 failed (exit 3): no such user") || !strings.Contains(err.Error(), "not installed: broken 1.1") {
			t.Errorf("InstallPatch = %v", err)
		}
		if broken, err := h.apt.Broken(t.Context()); err != nil || strings.Join(broken, " ") != "broken" {
			t.Errorf("Broken = %v, %v", broken, err)
		}
		if err := h.apt.Mend(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot mend broken: postinst of broken 1.1 failed") {
			t.Errorf("Mend of what cannot be mended = %v", err)
		}
		h.must(h.patch("broken=1.2 fine=2"))
		if got := h.versions(); got != "broken=1.2 fine=2" {
			t.Errorf("versions = %q", got)
		}
	})
}

// What dpkg would ask about is predicted, and both answers do what they say.
func TestAptPredictsConffiles(t *testing.T) {
	onAptHost(t, func(h *aptHost) {
		texts := func(of string) testDeb {
			d := testDeb{id: "app " + of, files: map[string]string{}}
			for _, name := range []string{"changed", "same", "untouched", "deleted", "equal"} {
				d.files["/opt/etc/"+name], d.conf = of+"\n", append(d.conf, "/opt/etc/"+name)
			}
			d.files["/opt/etc/same"] = "always\n"
			if of == "2" {
				d.files["/opt/etc/fresh"], d.conf = of+"\n", append(d.conf, "/opt/etc/fresh")
				d.files["/opt/etc/found"], d.conf = of+"\n", append(d.conf, "/opt/etc/found")
			}
			return d
		}
		h.have(texts("1"))
		h.publish(texts("2"))
		h.write("/opt/etc/changed", "mine\n")
		h.write("/opt/etc/same", "mine\n")
		h.write("/opt/etc/equal", "2\n")
		h.write("/opt/etc/found", "mine\n")
		h.must(os.Remove("/opt/etc/deleted"))
		h.must(h.apt.FetchPatch(t.Context(), targets("app=2")))
		found, err := h.apt.Conffiles(t.Context(), targets("app=2"))
		h.must(err)
		want := []policies.Conffile{{Path: "/opt/etc/changed", Package: "app"}, {Path: "/opt/etc/deleted", Package: "app"}, {Path: "/opt/etc/found", Package: "app"}}
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("Conffiles (-want +got):\n%s", diff)
		}
		h.must(h.apt.InstallPatch(t.Context(), targets("app=2"), "keep"))
		h.texts("changed=mine same=mine untouched=2 deleted= equal=2 fresh=2 found=mine")
		h.publish(texts("1"), texts("2"), testDeb{id: "app 3", files: map[string]string{"/opt/etc/changed": "3\n"}, conf: []string{"/opt/etc/changed"}})
		h.must(h.apt.FetchPatch(t.Context(), targets("app=3")))
		h.must(h.apt.InstallPatch(t.Context(), targets("app=3"), "new"))
		h.texts("changed=3")
	})
}

func (h *aptHost) texts(want string) {
	h.t.Helper()
	for _, word := range strings.Fields(want) {
		name, text, _ := strings.Cut(word, "=")
		if raw, _ := os.ReadFile("/opt/etc/" + name); strings.TrimSpace(string(raw)) != text {
			h.t.Errorf("/opt/etc/%s = %q, want %q", name, raw, text)
		}
	}
}

func TestAptRemovesKernels(t *testing.T) {
	onAptHost(t, func(h *aptHost) {
		running, err := runningKernel()
		h.must(err)
		images := []testDeb{deb("linux-image-1.0.0-1-amd64", ""), deb("linux-image-1.0.0-2-amd64", ""), deb("linux-image-1.0.0-10-amd64", ""), deb("linux-image-"+running, ""),
			deb("linux-headers-1.0.0-1-amd64", "Depends: linux-headers-1.0.0-1-common\n"), deb("linux-headers-1.0.0-1-common", ""),
			deb("vbox", "Depends: linux-image-1.0.0-2-amd64\n"), deb("linux-image-amd64", "Depends: linux-image-1.0.0-10-amd64\n")}
		for i := range images {
			images[i].id += " 1"
		}
		h.have(images...)
		refused := map[string]string{"linux-image-" + running: "the running kernel", "linux-image-1.0.0-10-amd64": "the newest one", "linux-image-1.0.0-2-amd64": "would also remove vbox", "vbox": "no installed kernel"}
		for name, want := range refused {
			if err := h.apt.RemoveKernels(t.Context(), []string{name}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("RemoveKernels(%s) = %v, want %q", name, err, want)
			}
		}
		h.must(h.apt.RemoveKernels(t.Context(), []string{"linux-image-1.0.0-1-amd64"}))
		if got := h.versions(); strings.Contains(got, "1.0.0-1-amd64") || strings.Count(got, "linux-image") != 4 || !strings.Contains(got, "vbox") {
			t.Errorf("versions = %q", got)
		}
	})
}

// dpkg's journal alone is enough for apt to refuse all work.
func TestAptMendsAJournal(t *testing.T) {
	onAptHost(t, func(h *aptHost) {
		h.have(deb("app 1", ""))
		h.publish(deb("app 2", ""))
		h.write("/var/lib/dpkg/updates/0000", stanza("app", "all", "install ok installed", "1"))
		if broken, err := h.apt.Broken(t.Context()); err != nil || strings.Join(broken, " ") != "dpkg" {
			t.Errorf("Broken = %v, %v", broken, err)
		}
		h.must(h.apt.Mend(t.Context()))
		h.must(h.patch("app=2"))
	})
}

// Whichever of two that need each other's exact version dpkg is killed in, both are new in the end: what
// needs the other is not whole to dpkg as long as that is not there.
func TestAptMendsAllThatWasBegun(t *testing.T) {
	for name, killed := range map[string]string{"needed": "libthing", "needing": "thing"} {
		t.Run(name, func(t *testing.T) {
			onAptHost(t, func(h *aptHost) {
				old := map[string]testDeb{"libthing": deb("libthing 1", ""), "thing": deb("thing 1", "Depends: libthing (= 1)\n")}
				killer := old[killed]
				killer.run = map[string]string{"postrm": "if [ ! -e /opt/again ]; then touch /opt/again; kill -9 $PPID; fi"}
				old[killed] = killer
				h.have(old["libthing"], old["thing"])
				h.publish(deb("libthing 2", ""), deb("thing 2", "Depends: libthing (= 2)\n"))
				if err := h.patch("libthing=2 thing=2"); err == nil {
					t.Fatal("dpkg was not killed")
				}
				if broken, err := h.apt.Broken(t.Context()); err != nil || !slices.Contains(broken, "thing") {
					t.Errorf("Broken = %v, %v, want thing among them", broken, err)
				}
				h.must(h.apt.Mend(t.Context()))
				if got := h.versions(); got != "libthing=2 thing=2" {
					t.Errorf("versions = %q, want both new", got)
				}
			})
		})
	}
}

// A removal that was cut off is ended, and takes nothing else along.
func TestAptEndsARemoval(t *testing.T) {
	onAptHost(t, func(h *aptHost) {
		h.have(testDeb{id: "slow 1", run: map[string]string{"prerm": "if [ ! -e /opt/again ]; then touch /opt/again; kill -9 $PPID; fi"}}, deb("app 1", ""))
		if err := exec.Command("dpkg", "--remove", "slow").Run(); err == nil {
			t.Fatal("dpkg was not killed")
		}
		if broken, err := h.apt.Broken(t.Context()); err != nil || strings.Join(broken, " ") != "slow" {
			t.Errorf("Broken = %v, %v", broken, err)
		}
		h.must(h.apt.Mend(t.Context()))
		if got := h.versions(); got != "app=1" {
			t.Errorf("versions = %q", got)
		}
	})
}

// Another package manager is waited for, and named when the wait is over.
func TestAptIsBusy(t *testing.T) {
	onAptHost(t, func(h *aptHost) {
		h.have(testDeb{id: "slow 1", run: map[string]string{"prerm": "touch /opt/begun; while [ ! -e /opt/go ]; do sleep 0.05; done"}})
		other := exec.Command("dpkg", "--remove", "slow")
		h.must(other.Start())
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if _, err := os.Stat("/opt/begun"); err == nil {
				break
			}
		}
		err := h.apt.Busy(t.Context(), time.Millisecond)
		if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "dpkg (pid ") {
			t.Errorf("Busy = %v, want dpkg's pid", err)
		}
		h.write("/opt/go", "")
		h.must(h.apt.Busy(t.Context(), 20*time.Second))
		h.must(other.Wait())
	})
}

// What a service runs is looked for in its memory; needrestart is asked where there is one.
func TestAptAftermath(t *testing.T) {
	onAptHost(t, func(h *aptHost) {
		before, err := h.apt.Aftermath(t.Context())
		h.must(err)
		if len(before.Reboot) > 0 {
			t.Skipf("needs a machine that does not wait for a reboot: %v", before.Reboot)
		}
		h.have(deb("linux-image-99.0.0-1-amd64 1", ""))
		running, err := runningKernel()
		h.must(err)
		h.have(deb("linux-image-"+running+" 1", ""))
		after, err := h.apt.Aftermath(t.Context())
		h.must(err)
		if _, flavour := splitRelease(running); flavour == "amd64" && len(after.Reboot) != 1 {
			t.Errorf("Reboot = %v", after.Reboot)
		}
	})
}

// A process whose program was replaced is found by the same means as a service's.
func TestStaleProcess(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: a program is put below /usr")
	}
	folder, err := os.MkdirTemp("/usr/lib", "plumb-test-")
	if err != nil {
		t.Skipf("needs a writable /usr/lib: %v", err)
	}
	defer os.RemoveAll(folder)
	raw, err := os.ReadFile("/bin/sleep")
	if err != nil {
		t.Skipf("needs sleep: %v", err)
	}
	program := folder + "/sleep"
	if err := os.WriteFile(program, raw, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	proc := fmt.Sprintf("/proc/%d", cmd.Process.Pid)
	if stale(proc) {
		t.Error("a process is stale although nothing was replaced")
	}
	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}
	if !stale(proc) {
		t.Error("a process is not stale although its program is gone")
	}
	if _, err := staleUnits("/proc"); err != nil {
		t.Errorf("staleUnits = %v", err)
	}
}
