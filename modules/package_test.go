package modules

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/modules/system"
	"plumb/policies"
)

const statusFile = `Package: dpkg
Status: install ok installed
Architecture: amd64
Version: 1.21.22

Package: nginx
Status: install ok installed
Architecture: amd64
Version: 1.22.1-9

Package: kept
Status: hold ok installed
Architecture: all
Version: 2:1.0

Package: leftover
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: half
Status: install reinstreq half-installed
Architecture: all
Version: 1
`

func hostWithStatus(t *testing.T, status string) *system.System {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "var/lib/dpkg")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "status"), []byte(status), 0o644); err != nil {
		t.Fatal(err)
	}
	return &system.System{Root: root}
}

func TestPackageCheck(t *testing.T) {
	yes, no := true, false
	state := func(before, after string) policies.Change {
		return policies.Change{Attribute: "state", Before: before, After: after}
	}
	cases := map[string]struct {
		give Package
		want []policies.Change
	}{
		"present":          {Package{Name: "nginx", State: "present"}, nil},
		"exact version":    {Package{Name: "nginx", State: "present", Version: "1.22.1-9"}, nil},
		"range":            {Package{Name: "nginx", State: "present", Version: ">= 1.20, < 1.23~"}, nil},
		"held is present":  {Package{Name: "kept", State: "present", Hold: &yes}, nil},
		"absent":           {Package{Name: "nobody", State: "absent"}, nil},
		"purged":           {Package{Name: "nobody", State: "purged"}, nil},
		"leftover absent":  {Package{Name: "leftover", State: "absent"}, nil},
		"missing":          {Package{Name: "nobody", State: "present"}, []policies.Change{state("absent", "present")}},
		"half is missing":  {Package{Name: "half", State: "present"}, []policies.Change{state("install reinstreq half-installed", "present")}},
		"half is there":    {Package{Name: "half", State: "absent"}, []policies.Change{state("install reinstreq half-installed", "absent")}},
		"leftover purged":  {Package{Name: "leftover", State: "purged"}, []policies.Change{state("deinstall ok config-files", "purged")}},
		"there but absent": {Package{Name: "nginx", State: "absent"}, []policies.Change{state("present 1.22.1-9", "absent")}},
		"version": {Package{Name: "nginx", State: "present", Version: "< 1.22"},
			[]policies.Change{{Attribute: "version", Before: "1.22.1-9", After: "< 1.22"}}},
		"hold":   {Package{Name: "nginx", State: "present", Hold: &yes}, []policies.Change{{Attribute: "hold", Before: "false", After: "true"}}},
		"unhold": {Package{Name: "kept", State: "present", Hold: &no}, []policies.Change{{Attribute: "hold", Before: "true", After: "false"}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := c.give.Check(t.Context(), hostWithStatus(t, statusFile))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Check(%+v) (-want +got):\n%s", c.give, diff)
			}
		})
	}
}

func TestPackageCannotTell(t *testing.T) {
	p := Package{Name: "nginx", State: "present"}
	if _, err := p.Check(t.Context(), &system.System{Root: t.TempDir()}); !errors.Is(err, ErrUnknown) {
		t.Errorf("Check() without a database = %v, want ErrUnknown", err)
	}
	sys := hostWithStatus(t, statusFile)
	if err := p.Apply(t.Context(), sys, nil); !errors.Is(err, ErrUnknown) {
		t.Errorf("Apply() below a folder = %v, want ErrUnknown", err)
	}
	p.State = "latest"
	if _, err := p.Check(t.Context(), sys); !errors.Is(err, ErrUnknown) {
		t.Errorf("Check() of latest below a folder = %v, want ErrUnknown", err)
	}
}

func TestPackageValidate(t *testing.T) {
	yes := true
	cases := map[string]struct {
		give Package
		want string
	}{
		"name":         {Package{Name: "-rf", State: "present"}, "name"},
		"state":        {Package{Name: "nginx", State: "gone"}, "state"},
		"version":      {Package{Name: "nginx", State: "present", Version: ">= "}, "version"},
		"no version":   {Package{Name: "nginx", State: "absent", Version: "1"}, "version"},
		"hold nothing": {Package{Name: "nginx", State: "purged", Hold: &yes}, "hold"},
		"lock_timeout": {Package{Name: "nginx", State: "present", LockTimeout: "ten"}, "lock_timeout"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := c.give.Validate()
			if len(got) != 1 || got[0].Attribute != c.want {
				t.Errorf("Validate(%+v) = %+v, want one mistake of %s", c.give, got, c.want)
			}
		})
	}
	if got := (&Package{Name: "libc6:i386", State: "present", Version: ">= 2, < 3"}).Validate(); len(got) != 0 {
		t.Errorf("Validate() = %+v, want none", got)
	}
}

// repository makes the copy's only apt source a folder with small packages.
func repository(t *testing.T) (add func(name, version, fields string, scripts map[string]string)) {
	t.Helper()
	old, _ := filepath.Glob("/etc/apt/sources.list*")
	for _, one := range append(old, "/var/lib/apt/lists") {
		if err := os.RemoveAll(one); err != nil {
			t.Fatal(err)
		}
	}
	repo := "/repo"
	if err := errors.Join(os.MkdirAll(repo, 0o755), os.MkdirAll("/var/lib/apt/lists/partial", 0o755),
		os.WriteFile(repo+"/Packages", nil, 0o644),
		os.WriteFile("/etc/apt/sources.list", []byte("deb [trusted=yes] file:/repo ./\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	return func(name, version, fields string, scripts map[string]string) {
		t.Helper()
		dir := t.TempDir()
		control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Nobody <n@example.org>\nDescription: test\n%s", name, version, fields)
		files := map[string]string{"DEBIAN/control": control, "usr/share/" + name + "/v": version, "etc/" + name + ".conf": "default\n", "DEBIAN/conffiles": "/etc/" + name + ".conf\n"}
		for k, v := range scripts {
			files["DEBIAN/"+k] = v
		}
		for path, text := range files {
			full := filepath.Join(dir, path)
			if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(text), 0o755)); err != nil {
				t.Fatal(err)
			}
		}
		deb := fmt.Sprintf("%s/%s_%s.deb", repo, name, strings.ReplaceAll(version, ":", "_"))
		if out, err := exec.Command("dpkg-deb", "-Znone", "--root-owner-group", "-b", dir, deb).CombinedOutput(); err != nil {
			t.Fatalf("dpkg-deb: %v: %s", err, out)
		}
		raw, err := os.ReadFile(deb)
		if err != nil {
			t.Fatal(err)
		}
		entry := fmt.Sprintf("%sFilename: ./%s\nSize: %d\nSHA256: %x\n\n", control, filepath.Base(deb), len(raw), sha256.Sum256(raw))
		f, err := os.OpenFile(repo+"/Packages", os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteString(entry)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// converge checks, applies and checks again, as the agent does.
func converge(t *testing.T, sys *system.System, r Applier) {
	t.Helper()
	changes, err := r.Check(t.Context(), sys)
	if err != nil {
		t.Fatalf("Check(%+v) = %v", r, err)
	}
	if len(changes) == 0 {
		t.Fatalf("Check(%+v) found nothing to change", r)
	}
	if err := r.Apply(t.Context(), sys, changes); err != nil {
		t.Fatalf("Apply(%+v) = %v", r, err)
	}
	if err := settle(t, sys, r); err != nil {
		t.Fatalf("Settled(%+v) = %v", r, err)
	}
	if left, err := r.Check(t.Context(), sys); err != nil || len(left) > 0 {
		t.Fatalf("second Check(%+v) = %+v, %v, want nothing", r, left, err)
	}
}

// settle looks once more at what was applied, as a run does.
func settle(t *testing.T, sys *system.System, r Applier) error {
	t.Helper()
	one, ok := r.(Settler)
	if !ok {
		return nil
	}
	at, owes := one.Settles()
	if !owes {
		return nil
	}
	<-time.After(time.Until(at))
	return one.Settled(t.Context(), sys)
}

// refused checks that Apply fails with the words, or the look after it.
func refused(t *testing.T, sys *system.System, r Applier, words string) {
	t.Helper()
	changes, err := r.Check(t.Context(), sys)
	if err != nil || len(changes) == 0 {
		t.Fatalf("Check(%+v) = %v, %v, want changes", r, changes, err)
	}
	err = r.Apply(t.Context(), sys, changes)
	if err == nil {
		err = settle(t, sys, r)
	}
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Fatalf("Apply(%+v) = %v, want %q", r, err, words)
	}
}

func TestPackageOnRealApt(t *testing.T) {
	if !inCopy(t, "apt-get", "dpkg-deb") {
		return
	}
	add := repository(t)
	add("pl-a", "1.0", "", nil)
	add("pl-a", "1.5", "", nil)
	add("pl-a", "2.0", "", nil)
	add("pl-b", "1", "Depends: pl-a\n", nil)
	sys := copyHost(t)
	yes, no := true, false

	// The lists are empty: the package is only known after apt-get update.
	converge(t, sys, &Package{Name: "pl-a", State: "present", Version: ">= 1, < 2~"})
	if db, _ := sys.Dpkg(); db.Versions()["pl-a"] != "1.5" {
		t.Fatalf("installed %q, want the newest of the range, 1.5", db.Versions()["pl-a"])
	}
	refused(t, sys, &Package{Name: "pl-a", State: "present", Version: "1.0"}, "set allow_downgrade")
	converge(t, sys, &Package{Name: "pl-a", State: "present", Version: "1.0", AllowDowngrade: true, Hold: &yes})
	if err := os.WriteFile("/etc/pl-a.conf", []byte("mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	converge(t, sys, &Package{Name: "pl-a", State: "latest", Hold: &yes})
	if got, _ := os.ReadFile("/etc/pl-a.conf"); string(got) != "mine\n" {
		t.Errorf("the changed configuration file is %q after an upgrade, want it kept", got)
	}
	converge(t, sys, &Package{Name: "pl-a", State: "present", Hold: &no})
	converge(t, sys, &Package{Name: "pl-b", State: "present"})
	refused(t, sys, &Package{Name: "pl-a", State: "absent"}, "would also remove pl-b")
	converge(t, sys, &Package{Name: "pl-a", State: "absent", AllowRemovals: true})
	if _, err := os.Stat("/etc/pl-a.conf"); err != nil {
		t.Errorf("the configuration went with absent: %v", err)
	}
	converge(t, sys, &Package{Name: "pl-a", State: "purged"})
	add("pl-v", "1", "Provides: pl-virtual\n", nil)
	if _, err := copyHost(t).UpdateApt(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	refused(t, sys, &Package{Name: "pl-virtual", State: "present"}, "a virtual package is never installed itself")
	refused(t, sys, &Package{Name: "pl-none", State: "present"}, "Unable to locate package pl-none")
	refused(t, sys, &Package{Name: "pl-a", State: "present", Version: "> 3"}, "the repositories have 2.0, 1.5, 1.0")
}

func TestPackageSelectedForRemoval(t *testing.T) {
	if !inCopy(t, "apt-get", "dpkg-deb") {
		return
	}
	repository(t)("pl-a", "1.0", "", nil)
	sys := copyHost(t)
	converge(t, sys, &Package{Name: "pl-a", State: "present"})
	cmd := exec.Command("dpkg", "--set-selections")
	cmd.Stdin = strings.NewReader("pl-a deinstall\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("dpkg: %v: %s", err, out)
	}
	sys.ForgetDpkg()
	converge(t, sys, &Package{Name: "pl-a", State: "present"})
}

// A postinst that fails leaves apt with exit 100 and the package half-configured.
func TestPackageFailsHonestly(t *testing.T) {
	if !inCopy(t, "apt-get", "dpkg-deb") {
		return
	}
	add := repository(t)
	add("pl-bad", "1.0", "", map[string]string{"postinst": "#!/bin/sh\n[ -e /etc/fixed ]\n"})
	add("pl-good", "1.0", "", nil)
	sys := copyHost(t)
	refused(t, sys, &Package{Name: "pl-bad", State: "present"}, "half-configured")
	// Another package's trouble does not fail this one, whatever apt-get exits with.
	converge(t, sys, &Package{Name: "pl-good", State: "present"})
	if err := os.WriteFile("/etc/fixed", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	converge(t, sys, &Package{Name: "pl-bad", State: "present"})
}

// A dpkg killed in preinst leaves the package "reinstreq half-installed", which
// "dpkg --configure -a" does not mend.
func TestPackageMendsKilledDpkg(t *testing.T) {
	if !inCopy(t, "apt-get", "dpkg-deb") {
		return
	}
	add := repository(t)
	add("pl-a", "1.0", "", map[string]string{"preinst": "#!/bin/sh\nif [ -e /etc/killer ]; then rm /etc/killer; kill -9 $PPID; sleep 1; fi\n"})
	add("pl-other", "1.0", "", nil)
	sys := copyHost(t)
	for _, wanted := range []string{"pl-a", "pl-other"} { // the broken one itself, and another
		if err := os.WriteFile("/etc/killer", nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("dpkg", "-i", "/repo/pl-a_1.0.deb").CombinedOutput(); err == nil {
			t.Fatalf("dpkg survived: %s", out)
		}
		sys.ForgetDpkg()
		db, err := sys.Dpkg()
		if err != nil {
			t.Fatal(err)
		}
		if p, _ := db.Find("pl-a"); p.Flag != "reinstreq" {
			t.Fatalf("after the kill pl-a is %q, want reinstreq", p.State())
		}
		converge(t, sys, &Package{Name: wanted, State: "present"})
		if got, err := (&Package{Name: "pl-a", State: "present"}).Check(t.Context(), sys); err != nil || len(got) > 0 {
			t.Fatalf("pl-a after %s was installed = %+v, %v, want it mended", wanted, got, err)
		}
	}
	if out, err := exec.Command("dpkg", "--audit").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("dpkg --audit = %v: %s, want nothing", err, out)
	}
}

func TestPackageWaitsForLock(t *testing.T) {
	if !inCopy(t, "apt-get", "dpkg-deb", "python3") {
		return
	}
	repository(t)("pl-a", "1.0", "", nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	holder := exec.CommandContext(ctx, "python3", "-c",
		"import fcntl,time; f=open('/var/lib/dpkg/lock-frontend','w'); fcntl.lockf(f,fcntl.LOCK_EX); print('held',flush=True); time.sleep(60)")
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	sys := copyHost(t)
	err = (&Package{Name: "pl-a", State: "present", LockTimeout: "1s"}).Apply(ctx, sys, nil)
	want := fmt.Sprintf("has to wait: apt lock is held by python3 (pid %d) since ", holder.Process.Pid)
	if !errors.Is(err, ErrWait) || !strings.Contains(err.Error(), want) {
		t.Fatalf("Apply() = %v, want ErrWait and %q", err, want)
	}
	time.AfterFunc(time.Second, cancel)
	if err := (&Package{Name: "pl-a", State: "present", LockTimeout: "30s"}).Apply(t.Context(), sys, nil); err != nil {
		t.Errorf("Apply() = %v, want success once the lock is free", err)
	}
	_ = holder.Wait()
}

// Wherever dpkg is killed, the next run must end with the package installed and nothing
// left over, without a person's help.
func TestPackageMendsAnyKill(t *testing.T) {
	if !inCopy(t, "apt-get", "dpkg-deb", "strace") {
		return
	}
	repository(t)("pl-a", "1.0", "", map[string]string{"postinst": "#!/bin/sh\nexit 0\n"})
	sys := copyHost(t)
	points := map[string]struct {
		call string
		when int
	}{
		"before anything": {"fsync", 4}, "first word of it": {"rename", 2}, "unpacking": {"rename", 11},
		"files in place": {"fsync", 11}, "tidying up": {"unlink", 2},
	}
	for name, at := range points {
		killDpkg(t, at.call, at.when)
		sys.ForgetDpkg()
		p := &Package{Name: "pl-a", State: "present"}
		if changes, err := p.Check(t.Context(), sys); err != nil || len(changes) > 0 {
			if err := errors.Join(err, p.Apply(t.Context(), sys, changes)); err != nil {
				t.Fatalf("killed %s: %v", name, err)
			}
		}
		if out, err := exec.Command("dpkg", "--audit").CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("killed %s: dpkg --audit = %v: %s", name, err, out)
		}
		converge(t, sys, &Package{Name: "pl-a", State: "purged"})
	}
}

// killDpkg installs the package and kills dpkg at the given call. A dpkg that lives on
// would make the test pass for nothing.
func killDpkg(t *testing.T, call string, when int) {
	t.Helper()
	out, err := exec.Command("strace", "-o", "/dev/null", "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, when),
		"dpkg", "-i", "/repo/pl-a_1.0.deb").CombinedOutput()
	if err == nil {
		t.Fatalf("dpkg was not killed at %s %d: %s", call, when, out)
	}
}
