package system

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestAptPatchesInSmallSteps(t *testing.T) {
	onAptHost(t, func(h *aptHost) {
		h.have(deb("app 1", "Depends: lib (>= 1)\n"), deb("lib 1", ""), deb("lib-dev 1", "Depends: lib (= 1)\n"), deb("tool 1", ""), deb("other 1", ""))
		h.publish(deb("app 2", "Depends: lib (>= 2), fresh\n"), deb("lib 2", ""), deb("lib-dev 2", "Depends: lib (= 2)\n"), deb("tool 2", ""), deb("other 2", ""), deb("fresh 1", ""))
		p := h.plan("app=2 lib=2 lib-dev=2 tool=2 gone=7")
		if got, want := stepsOf(p), "lib=2 lib-dev=2 | app=2 fresh=1 | tool=2"; got != want {
			t.Errorf("steps = %q, want %q", got, want)
		}
		if got := listOf(p.Added); got != "fresh=1" || listOf(p.Gone) != "gone=7" || len(p.Held)+len(p.Removed) > 0 {
			t.Errorf("plan = %+v", p)
		}
		if p.Download < 1000 {
			t.Errorf("%d bytes are to be fetched", p.Download)
		}
		h.must(h.patch("app=2 lib=2 lib-dev=2 tool=2"))
		if got, want := h.versions(), "app=2 fresh=1 lib-dev=2 lib=2 other=1 tool=2"; got != want {
			t.Errorf("versions = %q, want %q", got, want)
		}
		if got := string(h.run("", "apt-mark", "showauto")); got != "fresh\n" {
			t.Errorf("marked as drawn in: %q", got)
		}
		if h.fetches != 5 {
			t.Errorf("%d archives were fetched, want 5", h.fetches)
		}
		h.publish(deb("fresh 2", ""))
		h.must(h.patch("fresh=2"))
		if got := string(h.run("", "apt-mark", "showauto")); got != "fresh\n" {
			t.Errorf("marked as drawn in after an update: %q", got)
		}
	})
}

func TestAptGoesBack(t *testing.T) {
	onAptHost(t, func(h *aptHost) {
		h.publish(deb("app 1", "Depends: lib (= 1)\n"), deb("lib 1", ""))
		h.must(h.patch("app=1 lib=1"))
		h.publish(deb("app 2", "Depends: lib (= 2)\n"), deb("lib 2", ""))
		h.must(h.patch("app=2 lib=2"))
		if got := h.versions(); got != "app=2 lib=2" {
			t.Fatalf("versions = %q", got)
		}
		p := h.plan("app=1 lib=1") // only our archives have these
		if got := stepsOf(p); got != "app=1 lib=1" || p.Download != 0 {
			t.Errorf("steps = %q, %d bytes to fetch", got, p.Download)
		}
		h.must(h.patch("app=1 lib=1"))
		if got := h.versions(); got != "app=1 lib=1" {
			t.Errorf("versions = %q, want what was there before", got)
		}
	})
}

// What is installed can be fetched as well, while the repository still has it.
func TestAptFetchesTheWayBack(t *testing.T) {
	onAptHost(t, func(h *aptHost) {
		h.have(deb("app 1", ""), deb("lost 1", ""))
		h.publish(deb("app 1", ""), deb("app 2", ""), deb("lost 2", ""))
		h.must(h.apt.FetchPatch(t.Context(), targets("app=1")))
		if err := h.apt.FetchPatch(t.Context(), targets("lost=1")); !errors.Is(err, errGone) {
			t.Errorf("FetchPatch of what is gone = %v", err)
		}
		h.must(h.patch("app=2 lost=2"))
		h.publish()
		h.must(h.patch("app=1 lost=1"))
		if got := h.versions(); got != "app=1 lost=2" {
			t.Errorf("versions = %q", got)
		}
	})
}

// A repository in a local folder is used where it is, and copied all the same: it may be gone
// when the way back is needed.
func TestAptCopiesFromALocalFolder(t *testing.T) {
	onAptHost(t, func(h *aptHost) {
		h.write("/etc/apt/sources.list", "deb [trusted=yes] file:"+h.pool+" ./\n")
		h.have(deb("app 1", ""))
		h.publish(deb("app 2", ""))
		h.must(h.patch("app=2"))
		if got := h.versions(); got != "app=2" || h.fetches != 0 {
			t.Errorf("versions = %q after %d fetches", got, h.fetches)
		}
	})
}

// Both architectures of a library have to be of one version at any time.
func TestAptKeepsArchitecturesInStep(t *testing.T) {
	onAptHost(t, func(h *aptHost) {
		if string(h.run("", "dpkg", "--print-architecture")) != "amd64\n" {
			t.Skip("needs amd64: the other architecture is i386")
		}
		h.run("", "dpkg", "--add-architecture", "i386")
		lib := func(version, arch string) testDeb {
			return deb("lib "+version, "Architecture: "+arch+"\nMulti-Arch: same\n")
		}
		h.have(lib("1", "amd64"))
		h.have(lib("1", "i386"), deb("game 1", "Architecture: i386\nDepends: lib (>= 1)\n"))
		h.publish(lib("2", "amd64"), lib("2", "i386"), deb("game 2", "Architecture: i386\nDepends: lib (>= 2)\n"))
		wanted := []Target{{"lib", "amd64", "2"}, {"lib:i386", "i386", "2"}, {"game:i386", "i386", "2"}}
		p, err := h.apt.PlanPatch(t.Context(), wanted)
		h.must(err)
		if got := stepsOf(p); got != "lib=2 lib:i386=2 | game:i386=2" || len(p.Added) > 0 {
			t.Errorf("steps = %q, added %v", got, p.Added)
		}
		for _, step := range p.Steps {
			h.must(h.apt.FetchPatch(t.Context(), step))
			h.must(h.apt.InstallPatch(t.Context(), step, "keep"))
		}
		if got := h.versions(); got != "game:i386=2 lib:i386=2 lib=2" {
			t.Errorf("versions = %q", got)
		}
	})
}

// Three versions of each package stay to go back to.
func TestAptKeepsFewArchives(t *testing.T) {
	onAptHost(t, func(h *aptHost) {
		h.have(deb("app 1:0", ""))
		for _, version := range []string{"1:9", "1:10", "1:11", "1:12"} {
			h.publish(deb("app "+version, ""))
			h.must(h.patch("app=" + version))
		}
		if got := strings.Join(h.s.systemNames(aptArchives), " "); got != "app_1%3a10_all.deb app_1%3a11_all.deb app_1%3a12_all.deb lock partial" {
			t.Errorf("archives = %q", got)
		}
		h.must(h.patch("app=1:10"))
		if got := h.versions(); got != "app=1:10" {
			t.Errorf("versions = %q", got)
		}
	})
}

func TestAptInstallsOnlyWhatWasFetched(t *testing.T) {
	onAptHost(t, func(h *aptHost) {
		h.have(deb("app 1", ""))
		h.publish(deb("app 2", "Depends: lib\n"), deb("lib 1", ""))
		if err := h.apt.InstallPatch(t.Context(), targets("app=2 lib=1"), "keep"); err == nil || !strings.Contains(err.Error(), "not fetched") {
			t.Errorf("InstallPatch of what was not fetched = %v", err)
		}
		h.must(h.apt.FetchPatch(t.Context(), targets("app=2 lib=1")))
		if err := h.apt.InstallPatch(t.Context(), targets("app=2"), "keep"); !errors.Is(err, ErrNoPlan) {
			t.Errorf("InstallPatch of a part = %v, want ErrNoPlan", err)
		}
		file := archiveFile("app", "2", "all")
		raw, err := os.ReadFile(file)
		h.must(err)
		raw[len(raw)-9] ^= 1
		h.must(os.WriteFile(file, raw, 0o644))
		if err := h.apt.InstallPatch(t.Context(), targets("app=2 lib=1"), "keep"); err == nil || !strings.Contains(err.Error(), "is not what its repository has") {
			t.Errorf("InstallPatch of other bytes = %v", err)
		}
		if got := h.versions(); got != "app=1" {
			t.Errorf("versions = %q, want nothing changed", got)
		}
		h.must(h.patch("app=2"))
	})
}

func TestAptNamesWhatBlocks(t *testing.T) {
	onAptHost(t, func(h *aptHost) {
		h.have(deb("app 1", ""), deb("bar 1", ""), deb("deep 1", ""), deb("kept 1", ""), deb("needskept 1", ""), deb("pinned 1", ""),
			deb("strict 1", "Depends: base (= 1)\n"), deb("base 1", ""), deb("rude 1", ""), deb("victim 1", ""), deb("fine 1", ""))
		h.publish(deb("app 2", "Depends: bar (>= 2)\n"), deb("bar 2", "Depends: deep (>= 3)\n"), deb("deep 2", ""),
			deb("kept 2", ""), deb("needskept 2", "Depends: kept (>= 2)\n"), deb("pinned 2", ""), deb("base 2", ""),
			deb("rude 2", "Conflicts: victim\n"), deb("fine 2", ""))
		h.write("/etc/apt/preferences.d/own", "Package: pinned\nPin: version 1\nPin-Priority: 1001\n")
		h.run("", "apt-mark", "hold", "kept")
		p := h.plan("app=2 kept=2 needskept=2 pinned=2 base=2 rude=2 fine=2 bar=2")
		if got := stepsOf(p); got != "fine=2" {
			t.Errorf("steps = %q, want only fine=2", got)
		}
		want := `app 2: app 2 needs bar (>= 2); bar 2 needs deep (>= 3); no repository has a deep that fits, the newest is 2 (1 is on this host)
bar 2: bar 2 needs deep (>= 3); no repository has a deep that fits, the newest is 2 (1 is on this host)
base 2: strict 1, which is on this host, needs base (= 1); no repository has a strict that fits (1 is on this host); it would remove strict
kept 2: kept is held at 1 on this host
needskept 2: needskept 2 needs kept (>= 2); kept is held at 1 on this host
pinned 2: the pins of apt on this host choose pinned 1
rude 2: rude 2 does not go with victim 1; no repository has a victim that fits (1 is on this host); it would remove victim`
		if got := heldOf(p); got != want {
			t.Errorf("held:\n%s\nwant:\n%s", got, want)
		}
		h.must(h.patch("fine=2"))
	})
}
