package system

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
	"plumb/policies"
)

// rpmHostVariable says that this is a host of testenv with its repositories "base" and "updates",
// as TestRPMHosts there prepares it, and names the package manager.
const rpmHostVariable = "PLUMB_TEST_RPM_HOST"

// rpmHost is the host that the test runs on, from the first offer to the last kernel.
type rpmHost struct {
	*testing.T
	s       *System
	manager PackageManager
}

// TestOnRPMHost changes the packages of the machine it runs on, step by step.
func TestOnRPMHost(t *testing.T) {
	want := os.Getenv(rpmHostVariable)
	if want == "" {
		t.Skip("needs a host of dnf or zypper: the test of real hosts in testenv runs this on one")
	}
	s := &System{Root: "/", State: t.TempDir()}
	manager, err := s.PackageManager()
	if err != nil || manager.Name() != want {
		t.Fatalf("PackageManager() = %v, %v, want %s", manager, err, want)
	}
	steps := []struct {
		name string
		run  func(h rpmHost)
	}{
		{"offers", rpmHost.offers}, {"origins", rpmHost.origins}, {"plan", rpmHost.plan}, {"plan of all", rpmHost.planAll}, {"unfetched", rpmHost.unfetched},
		{"upgrade", rpmHost.upgrade}, {"downgrade", rpmHost.downgrade}, {"failing script", rpmHost.failingScript},
		{"conffiles", rpmHost.conffiles}, {"way back", rpmHost.wayBack}, {"kill", rpmHost.kill}, {"torment", rpmHost.torment}, {"stumble", rpmHost.stumble}, {"half", rpmHost.half}, {"kernels", rpmHost.kernels}, {"aftermath", rpmHost.aftermath},
		{"held on the host", rpmHost.locked},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) { step.run(rpmHost{t, s, manager}) })
	}
}

func (h rpmHost) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h rpmHost) shell(script string) string {
	h.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.Fatalf("%s: %v: %s", script, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (h rpmHost) version(name string) string {
	h.Helper()
	return h.shell("rpm -q --qf '%{VERSION} ' " + name + " | sed 's/ $//'")
}

// noarch gives noarch targets for "name version" pairs.
func noarch(pairs ...string) []Target {
	var list []Target
	for _, pair := range pairs {
		name, version, _ := strings.Cut(pair, " ")
		list = append(list, Target{Name: name, Arch: "noarch", Version: version})
	}
	return list
}

// put fetches and installs.
func (h rpmHost) put(conffiles string, list ...Target) error {
	h.Helper()
	if err := h.manager.FetchPatch(h.Context(), list); err != nil {
		return err
	}
	return h.manager.InstallPatch(h.Context(), list, conffiles)
}

func (h rpmHost) whole() {
	h.Helper()
	if broken, err := h.manager.Broken(h.Context()); err != nil || len(broken) > 0 {
		h.Errorf("Broken() = %q, %v, want nothing", broken, err)
	}
}

func (h rpmHost) offers() {
	h.must(h.manager.Update(h.Context()))
	key, err := h.manager.OffersKey()
	h.must(err)
	found, err := h.manager.Offers(h.Context())
	h.must(err)
	if again, err := h.manager.OffersKey(); err != nil || again != key {
		h.Errorf("the key of offers changes by asking: %s, then %s, %v", key, again, err)
	}
	h.checkOffer(found)
	var names []string
	for _, o := range found.List {
		names = append(names, o.Package)
	}
	want := []string{"broken", "clash", "epochal", "gadget", "kernel-core", "libthing", "slow", "thing", "widget"}
	if diff := cmp.Diff(want, names); diff != "" {
		h.Errorf("offers (-want +got):\n%s", diff)
	}
	notices := []inventory.Notice{
		{ID: "TEST-2026:1", Kind: "security", Severity: "high", Summary: "update TEST-2026:1", CVEs: []string{"CVE-2026-0001", "CVE-2026-0002"},
			Issued: "2026-01-02T03:04:05Z", Fixes: []inventory.Fix{{Package: "widget", Arch: "noarch", Version: "1.1-1"}}},
		{ID: "TEST-2026:2", Kind: "bugfix", Severity: "unknown", Summary: "update TEST-2026:2", Reboot: true,
			Issued: "2026-01-02T03:04:05Z", Fixes: []inventory.Fix{{Package: "epochal", Arch: "noarch", Version: "1:0.5-1"}}},
	}
	if diff := cmp.Diff(notices, found.Notices); diff != "" {
		h.Errorf("notices (-want +got):\n%s", diff)
	}
}

func (h rpmHost) checkOffer(found inventory.Offers) {
	h.Helper()
	for _, o := range found.List {
		switch o.Package {
		case "widget":
			want := inventory.Offer{Package: "widget", Source: "widget", Installed: "1.0-1", Candidate: "1.1-1", Arch: "noarch", Origin: "Test",
				Suite: "updates", Label: "Test updates", Codename: "updates", Site: "10.77.0.1", Security: true, Manager: h.manager.Name()}
			o.Size = 0
			if diff := cmp.Diff(want, o); diff != "" {
				h.Errorf("offer of widget (-want +got):\n%s", diff)
			}
		case "epochal":
			if o.Installed != "7.0-1" || o.Candidate != "1:0.5-1" || !o.Reboot {
				h.Errorf("offer of epochal = %+v, want 7.0-1 to 1:0.5-1 with a reboot", o)
			}
		case "kernel-core":
			if !o.Reboot || o.Arch != "x86_64" {
				h.Errorf("offer of a kernel = %+v, want one with a reboot", o)
			}
		}
	}
}

func (h rpmHost) origins() {
	got := told(h.T, h.manager, noarch("widget 1.0-1", "widget 1.1-1", "widget 9-1", "helper 0.1-1")...)
	want := []string{"1.0-1: 10.77.0.1 Test/Test base/base base/ of widget", "1.1-1: 10.77.0.1 Test/Test updates/updates updates/ of widget", "9-1: "}
	if diff := cmp.Diff(want, got[:len(want)]); diff != "" {
		h.Errorf("origins (-want +got):\n%s", diff)
	}
	if !strings.Contains(got[3], " updates/ of helper") {
		h.Errorf("the origin of what is not installed = %q", got[3])
	}
}

func (h rpmHost) plan() {
	wanted := noarch("widget 1.1-1", "gadget 1.1-1", "thing 1.1-1", "libthing 1.1-1", "clash 1.1-1", "widget 9-1", "epochal 1:0.5-1")
	plan, err := h.manager.PlanPatch(h.Context(), wanted)
	h.must(err)
	steps := [][]Target{noarch("epochal 1:0.5-1"), noarch("gadget 1.1-1", "helper 0.1-1"), noarch("libthing 1.1-1", "thing 1.1-1"), noarch("widget 1.1-1")}
	if diff := cmp.Diff(steps, plan.Steps); diff != "" {
		h.Errorf("steps (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(noarch("helper 0.1-1"), plan.Added); diff != "" {
		h.Errorf("added (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(noarch("widget 9-1"), plan.Gone); diff != "" {
		h.Errorf("gone (-want +got):\n%s", diff)
	}
	held := []policies.Held{{Name: "clash", Version: "1.1-1", Chain: []string{"nothing provides absent >= 2 needed by clash-1.1-1.noarch"}}}
	if diff := cmp.Diff(held, plan.Held); diff != "" {
		h.Errorf("held (-want +got):\n%s", diff)
	}
	if plan.Download < 10_000 || plan.Download > 100_000 || len(plan.Removed) > 0 {
		h.Errorf("download %d bytes, removed %q, want some ten thousand and nothing", plan.Download, plan.Removed)
	}
	if h.version("widget") != "1.0" {
		h.Error("a plan changed a package")
	}
}

// planAll asks for what takes another package's place: that is never done.
func (h rpmHost) planAll() {
	plan, err := h.manager.PlanPatch(h.Context(), noarch("new 1.0-1"))
	h.must(err)
	if !slices.Equal(plan.Removed, []string{"old"}) || len(plan.Steps) > 0 {
		h.Errorf("the plan has steps %v and removes %q, want no step and old", plan.Steps, plan.Removed)
	}
	if err := h.put("keep", noarch("new 1.0-1")...); err == nil || h.version("old") != "1.0" {
		h.Errorf("InstallPatch(new) = %v, old is %q, want an error and old", err, h.version("old"))
	}
}

func (h rpmHost) unfetched() {
	if err := h.manager.InstallPatch(h.Context(), noarch("widget 1.1-1"), "keep"); err == nil || h.version("widget") != "1.0" {
		h.Errorf("InstallPatch without FetchPatch = %v, widget is %s, want an error and 1.0", err, h.version("widget"))
	}
	h.whole()
}

func (h rpmHost) upgrade() {
	h.must(h.put("keep", noarch("widget 1.1-1", "gadget 1.1-1", "helper 0.1-1")...))
	if got := h.shell("widget; gadget"); got != "widget 1.1\ngadget 1.1" {
		h.Errorf("the programs say %q", got)
	}
	there, err := h.manager.InstalledVersions(h.Context())
	if err != nil || !there[Target{"widget", "noarch", "1.1-1"}] || there[Target{"widget", "noarch", "1.0-1"}] {
		h.Errorf("InstalledVersions() = %v, %v, want widget 1.1-1 only", there, err)
	}
	h.whole()
}

// downgrade goes back with one package and on with another, in one go.
func (h rpmHost) downgrade() {
	h.must(h.put("keep", noarch("widget 1.0-1", "thing 1.1-1", "libthing 1.1-1")...))
	if got := h.version("widget thing libthing"); got != "1.0 1.1 1.1" {
		h.Errorf("versions are %q, want 1.0 1.1 1.1", got)
	}
	h.whole()
}

func (h rpmHost) failingScript() {
	err := h.put("keep", noarch("broken 1.1-1")...)
	if err == nil || !strings.Contains(err.Error(), "boom") {
		h.Errorf("InstallPatch(broken) = %v, want what the script said", err)
	}
	if broken, err := h.manager.Broken(h.Context()); err != nil || !slices.Equal(broken, []string{"broken"}) {
		h.Errorf("Broken() = %q, %v, want broken", broken, err)
	}
	if err := h.manager.Mend(h.Context()); err == nil {
		h.Error("Mend is content with a script that fails again")
	}
	h.must(h.put("keep", noarch("broken 1.0-1")...))
	h.whole()
}

// conffiles has one file that rpm would keep, and one that it would replace.
func (h rpmHost) conffiles() {
	h.shell("echo mine > /etc/widget.conf; echo mine > /etc/epochal.conf")
	wanted := noarch("widget 1.1-1", "epochal 1:0.5-1")
	h.must(h.manager.FetchPatch(h.Context(), wanted))
	got, err := h.manager.Conffiles(h.Context(), wanted)
	h.must(err)
	want := []policies.Conffile{{Path: "/etc/widget.conf", Package: "widget"}, {Path: "/etc/epochal.conf", Package: "epochal"}}
	if diff := cmp.Diff(want, got); diff != "" {
		h.Errorf("conffiles (-want +got):\n%s", diff)
	}
	h.must(h.manager.InstallPatch(h.Context(), wanted, "keep"))
	if got := h.shell("cat /etc/widget.conf /etc/epochal.conf /etc/epochal.conf.rpmnew"); got != "mine\nmine\nsetting = default of 1:0.5" {
		h.Errorf("after keep the files hold %q", got)
	}
	h.must(h.put("new", noarch("widget 1.0-1")...))
	if got := h.shell("cat /etc/widget.conf /etc/widget.conf.rpmsave"); got != "setting = default of 1.0\nmine" {
		h.Errorf("after new the files hold %q", got)
	}
	h.whole()
}

// wayBack fetches what is installed before it goes on, and goes back when no repository has it any more.
func (h rpmHost) wayBack() {
	before := noarch("gadget 1.1-1", "libthing 1.1-1", "thing 1.1-1")
	h.must(h.manager.FetchPatch(h.Context(), before))
	h.must(h.put("keep", noarch("libthing 1.0-1", "thing 1.0-1", "gadget 1.0-1")...))
	repositories := map[string]string{"dnf": "/etc/yum.repos.d", "zypper": "/etc/zypp/repos.d"}[h.manager.Name()]
	h.shell("sed -i s/enabled=1/enabled=0/ " + repositories + "/updates.repo")
	plan, err := h.manager.PlanPatch(h.Context(), before)
	if err != nil || len(plan.Gone) > 0 || len(plan.Held) > 0 || len(slices.Concat(plan.Steps...)) != 3 {
		h.Errorf("PlanPatch of what was fetched = %+v, %v, want three to go on with", plan, err)
	}
	h.must(h.put("keep", before...))
	if got := h.version("gadget libthing thing"); got != "1.1 1.1 1.1" {
		h.Errorf("versions are %q, want 1.1 of all three", got)
	}
	h.shell("sed -i s/enabled=0/enabled=1/ " + repositories + "/updates.repo")
	h.whole()
}

// kill ends the package manager with all it started while a script of a new version runs, when both
// versions are in the database.
func (h rpmHost) kill() {
	wanted := noarch("slow 1.1-1")
	h.must(h.manager.FetchPatch(h.Context(), wanted))
	ctx, cancel := context.WithCancel(h.Context())
	done := make(chan error, 1)
	go func() { done <- h.manager.InstallPatch(ctx, wanted, "keep"); cancel() }()
	for ctx.Err() == nil {
		if _, err := os.Stat("/run/slow-began"); err == nil {
			cancel()
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := <-done; !errors.Is(err, context.Canceled) {
		h.Fatalf("InstallPatch that was cut off = %v, want %v", err, context.Canceled)
	}
	if broken, err := h.manager.Broken(h.Context()); err != nil || !slices.Contains(broken, "slow") {
		h.Errorf("Broken() after a kill = %q, %v, want slow; rpm has %s", broken, err, h.version("slow"))
	}
	h.shell("touch /run/slow-fast; rm -f /run/slow-ended")
	h.must(h.manager.Mend(h.Context()))
	if got := h.version("slow"); got != "1.1" {
		h.Errorf("slow after Mend is %q, want 1.1 alone", got)
	}
	h.shell("test -e /run/slow-ended; test \"$(slow)\" = 'slow 1.1'")
	h.whole()
}

// things are three packages, two of which need each other's exact version.
func things(version string) []Target {
	return noarch("gadget "+version, "libthing "+version, "thing "+version)
}

// torment kills the package manager at some points of its work on three packages. What was begun comes
// to its end, and what was not is as before. PLUMB_SOAK makes 100 kills out of 3, at random points.
func (h rpmHost) torment() {
	h.must(h.manager.FetchPatch(h.Context(), things("1.0-1")))
	began := time.Now()
	h.must(h.manager.InstallPatch(h.Context(), things("1.0-1"), "keep"))
	took := time.Since(began)
	h.killAt(took*60/100, false)
	h.killAt(took*90/100, false)
	h.killAt(0, true)
	for range h.more(97) {
		if rand.IntN(4) == 0 {
			h.killAt(time.Duration(rand.Int64N(int64(took))), false)
		} else {
			h.killAt(time.Duration(rand.Int64N(int64(took)/10)), true)
		}
	}
}

// more is how many kills a long run makes beyond those of a short one.
func (h rpmHost) more(kills int) int {
	if os.Getenv("PLUMB_SOAK") != "1" {
		return 0
	}
	return kills
}

// killAt goes from one version of the three to the other, and kills that some time after its begin,
// or after the moment in which the first file is another one.
func (h rpmHost) killAt(after time.Duration, fromFirstFile bool) {
	h.Helper()
	wanted, before := things("1.1-1"), h.version("gadget libthing thing")
	if before != "1.0 1.0 1.0" {
		wanted = things("1.0-1")
	}
	h.must(h.manager.FetchPatch(h.Context(), wanted))
	ctx, cancel := context.WithCancel(h.Context())
	go cancelAt(ctx, cancel, after, fromFirstFile)
	said := h.manager.InstallPatch(ctx, wanted, "keep")
	cancel()
	killed := h.version("gadget libthing thing")
	broken, err := h.manager.Broken(h.Context())
	h.must(err)
	if len(broken) > 0 {
		h.must(h.manager.Mend(h.Context()))
		h.noTemporaries()
	}
	h.whole()
	h.Logf("%v (first file: %t): %v; %s, then %s, broken %q, and after Mend %s", after, fromFirstFile, said, before, killed, broken, h.version("gadget libthing thing"))
	h.allOldOrNew()
}

// allOldOrNew looks at versions, files and what the packages need.
func (h rpmHost) allOldOrNew() {
	h.Helper()
	if got := h.version("gadget libthing thing"); got != "1.0 1.0 1.0" && got != "1.1 1.1 1.1" {
		h.Errorf("versions are %q, want all old or all new", got)
	}
	h.shell("rpm -V gadget libthing thing | grep -v ' c ' && exit 1; true")
}

func (h rpmHost) noTemporaries() {
	h.Helper()
	if got := h.shell("ls /usr/bin /etc | grep ';' || true"); got != "" {
		h.Errorf("rpm's temporary files stay: %s", got)
	}
}

// stumble lets rpm meet what a killed transaction of the same second left: the file of one package is
// not unpacked, and the others come in all the same.
func (h rpmHost) stumble() {
	h.must(h.put("keep", things("1.0-1")...))
	h.must(h.manager.FetchPatch(h.Context(), things("1.1-1")))
	for second := range int64(1000) {
		h.must(os.WriteFile(fmt.Sprintf("/usr/bin/thing;%08x", time.Now().Unix()+second), nil, 0o200))
	}
	if err := h.manager.InstallPatch(h.Context(), things("1.1-1"), "keep"); err == nil || !strings.Contains(err.Error(), "cannot install thing 1.1-1") {
		h.Errorf("InstallPatch that cannot unpack a file = %v, want an error that names thing", err)
	}
	h.halfDone()
	h.must(h.manager.Mend(h.Context()))
	h.noTemporaries()
	h.whole()
	if got := h.version("gadget libthing thing"); got != "1.1 1.1 1.1" {
		h.Errorf("versions after Mend are %q, want all new", got)
	}
	h.allOldOrNew()
}

// half cannot be mended: a folder is in the place of a program. Mend says so, and says it again, until the
// way back is taken.
func (h rpmHost) half() {
	h.must(h.put("keep", things("1.0-1")...))
	h.must(h.manager.FetchPatch(h.Context(), slices.Concat(things("1.0-1"), things("1.1-1"))))
	h.shell("mv /usr/bin/thing /root/; mkdir -p /usr/bin/thing/full")
	if err := h.manager.InstallPatch(h.Context(), things("1.1-1"), "keep"); err == nil {
		h.Error("InstallPatch is content with a file that cannot be put in its place")
	}
	for range 2 {
		h.halfDone()
		if err := h.manager.Mend(h.Context()); err == nil {
			h.Error("Mend is content with half a patch")
		}
	}
	h.shell("rm -r /usr/bin/thing; mv /root/thing /usr/bin/")
	h.must(h.manager.InstallPatch(h.Context(), noarch("gadget 1.0-1", "libthing 1.0-1"), "keep"))
	h.whole()
	h.allOldOrNew()
}

// halfDone wants two of the three new, and all of them called broken.
func (h rpmHost) halfDone() {
	h.Helper()
	if got := h.version("gadget libthing thing"); got != "1.1 1.1 1.0" {
		h.Fatalf("versions are %q, want all new but thing", got)
	}
	if broken, err := h.manager.Broken(h.Context()); err != nil || !slices.Equal(broken, []string{"gadget", "libthing", "thing"}) {
		h.Errorf("Broken() of half a patch = %q, %v, want the three", broken, err)
	}
}

// cancelAt waits for a time, and before that for the moment at which a program of one of the packages is
// another file.
func cancelAt(ctx context.Context, cancel func(), after time.Duration, fromFirstFile bool) {
	look := func() (list []os.FileInfo) {
		for _, name := range []string{"gadget", "libthing", "thing"} {
			info, _ := os.Stat("/usr/bin/" + name)
			list = append(list, info)
		}
		return list
	}
	for before := look(); fromFirstFile && ctx.Err() == nil; time.Sleep(time.Millisecond) {
		if !slices.EqualFunc(before, look(), os.SameFile) {
			break
		}
	}
	select {
	case <-time.After(after):
		cancel()
	case <-ctx.Done():
	}
}

func (h rpmHost) kernels() {
	next := Target{"kernel-core", "x86_64", "5.14.0-2"}
	h.must(h.put("keep", next))
	got, err := h.manager.Kernels(h.Context())
	h.must(err)
	want := []Kernel{{Package: "kernel-core-5.14.0-1.x86_64", Release: "5.14.0-1.x86_64"}, {Package: "kernel-core-5.14.0-2.x86_64", Release: "5.14.0-2.x86_64", Newest: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		h.Errorf("kernels (-want +got):\n%s", diff)
	}
	if err := h.manager.RemoveKernels(h.Context(), []string{want[1].Package}); err == nil {
		h.Error("RemoveKernels removes the newest kernel")
	}
	h.must(h.manager.RemoveKernels(h.Context(), []string{want[0].Package}))
	if got := h.version("kernel-core") + h.shell("rpm -q --qf '%{RELEASE}' kernel-core"); got != "5.14.02" {
		h.Errorf("kernel-core is %q, want 5.14.0-2 alone", got)
	}
}

// aftermath sees a library that was replaced under a service, and what asks for a reboot.
func (h rpmHost) aftermath() {
	h.shell("cp /bin/sleep /usr/bin/replaced; systemd-run --quiet --unit=user-of-it /usr/bin/replaced 1000; cp /bin/sleep /usr/bin/other; mv /usr/bin/other /usr/bin/replaced")
	after, err := h.manager.Aftermath(h.Context())
	h.must(err)
	h.shell("systemctl stop user-of-it")
	if !slices.Equal(after.Services, []string{"user-of-it.service"}) {
		h.Errorf("services that use old files: %q, want user-of-it.service", after.Services)
	}
	reasons := strings.Join(after.Reboot, "; ")
	if !strings.Contains(reasons, "kernel-core 5.14.0-2") || !strings.Contains(reasons, "epochal 1:0.5-1") || strings.Contains(reasons, "widget") {
		h.Errorf("reasons for a reboot: %q, want the kernel and epochal", reasons)
	}
}

// locked is what an administrator holds back: it is on offer, as held, and no plan takes it.
func (h rpmHost) locked() {
	lock := map[string]string{"dnf": "dnf -q versionlock add widget", "zypper": "zypper -n addlock widget"}[h.manager.Name()]
	h.shell(lock)
	found, err := h.manager.Offers(h.Context())
	h.must(err)
	i := slices.IndexFunc(found.List, func(o inventory.Offer) bool { return o.Package == "widget" })
	if i < 0 || !found.List[i].Held {
		h.Errorf("offers %+v have no widget that is held", found.List)
	}
	plan, err := h.manager.PlanPatch(h.Context(), noarch("widget 1.1-1"))
	if err != nil || len(plan.Held) != 1 || len(plan.Steps) > 0 || len(plan.Held[0].Chain) == 0 {
		h.Errorf("PlanPatch of a locked package = %+v, %v, want it held", plan, err)
	}
}
