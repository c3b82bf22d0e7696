package system

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
)

// told shows origins as "version: site suite/component, …".
func told(t *testing.T, from PackageManager, wanted ...Target) []string {
	t.Helper()
	found, err := from.Origins(t.Context(), wanted)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, one := range wanted {
		var places []string
		for _, o := range found[one] {
			if o.Candidate != one.Version || o.Package != one.Name || o.Manager != from.Name() {
				t.Errorf("an origin of %v is %+v", one, o)
			}
			places = append(places, o.Site+" "+o.Repository()+" "+o.Suite+"/"+o.Component+" of "+o.Source)
		}
		slices.Sort(places)
		list = append(list, one.Version+": "+strings.Join(places, ", "))
	}
	return list
}

func TestAptKnowsWhereVersionsComeFrom(t *testing.T) {
	const lists = "var/lib/apt/lists/"
	s := rooted(t, map[string]string{
		"var/lib/dpkg/status": stanza("dpkg", "amd64", "install ok installed", "1") + stanza("web", "amd64", "install ok installed", "1.0"),
		// What is only installed, or was only fetched, is in no repository.
		"var/cache/plumb-agent/archives/web_1.9_amd64.deb":                "x",
		lists + "a.example_dists_x_InRelease":                             release("A", "x", ""),
		lists + "a.example_dists_x_main_binary-amd64_Packages":            pack("web", "1.1", "Source: site (7)\n") + pack("web", "1.2", "") + pack("new", "1.1", ""),
		lists + "a.example_dists_x_main_binary-i386_Packages":             strings.ReplaceAll(pack("web", "1.3", ""), "amd64", "i386"),
		lists + "a.example_dists_x-backports_Release":                     release("A", "x-backports", "NotAutomatic: yes\nButAutomaticUpgrades: yes\n"),
		lists + "a.example_dists_x-backports_extra_binary-amd64_Packages": pack("web", "2.0", "") + pack("web", "1.1", "Source: site (7)\n"),
		lists + "other.example_repo_._Release":                            release("Other", "own", ""),
		lists + "other.example_repo_._Packages":                           pack("web", "2.0", ""),
	})
	web := func(version string) Target { return Target{Name: "web", Arch: "amd64", Version: version} }
	got := told(t, newAptManager(s), web("1.0"), web("1.1"), web("1.2"), web("1.3"), web("1.9"), web("2.0"), web("3.0"),
		Target{Name: "new", Arch: "amd64", Version: "1.1"}, Target{Name: "web:i386", Arch: "i386", Version: "1.3"}, Target{Name: "web", Arch: "all", Version: "1.2"})
	want := []string{"1.0: ",
		"1.1: a.example A/A/x x/main of site, a.example A/A/x-backports x-backports/extra of site",
		"1.2: a.example A/A/x x/main of web", "1.3: ", "1.9: ",
		"2.0: a.example A/A/x-backports x-backports/extra of web, other.example Other/Other/own own/ of web", "3.0: ",
		"1.1: a.example A/A/x x/main of new", "1.3: a.example A/A/x x/main of web", "1.2: a.example A/A/x x/main of web"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
}

func TestAptOriginsNeedTheLists(t *testing.T) {
	s := rooted(t, map[string]string{
		"var/lib/dpkg/status":                                       stanza("web", "amd64", "install ok installed", "1.0"),
		"var/lib/apt/lists/a_dists_x_Release":                       release("A", "x", ""),
		"var/lib/apt/lists/a_dists_x_main_binary-amd64_Packages.gz": "this is not packed",
	})
	if found, err := newAptManager(s).Origins(t.Context(), []Target{{Name: "web", Version: "1.1"}}); err == nil {
		t.Errorf("a list that cannot be read gives %v", found)
	}
}

// What was fetched and has left the repository since is in our archives only.
func TestAptOriginsOnAHost(t *testing.T) {
	onAptHost(t, func(h *aptHost) {
		h.have(deb("app 1", ""))
		h.publish(deb("app 2", ""))
		h.must(h.apt.FetchPatch(t.Context(), targets("app=2")))
		h.publish(deb("app 3", ""), deb("new 3", ""))
		got := told(t, h.apt, Target{"app", "all", "1"}, Target{"app", "all", "2"}, Target{"app", "all", "3"}, Target{"new", "all", "3"})
		for i, want := range []string{"1: ", "2: ", " Test// / of app", " Test// / of new"} {
			if !strings.HasSuffix(got[i], want) {
				t.Errorf("origin %d = %q, want %q", i, got[i], want)
			}
		}
		if plan := h.plan("app=2"); len(plan.Steps) != 1 {
			t.Errorf("the plan of what was fetched = %+v, want one step: only its origin tells it from others", plan)
		}
	})
}

func TestRecordedOriginsOfZypper(t *testing.T) {
	search, err := parseZypper(recordedRPM(t, "zypper-search.xml"))
	if err != nil {
		t.Fatal(err)
	}
	s := rooted(t, map[string]string{"etc/zypp/repos.d/all.repo": "[base]\nname=Test base\nbaseurl=http://mirror.example/base\n[updates]\nname=Test updates\nbaseurl=http://mirror.example/updates\n"})
	installed := []rpmPackage{{Target: Target{"widget", "noarch", "1.0-1"}, source: "wodget", vendor: "Test"}}
	r := rpmDatabase{s}
	find := func(wanted ...Target) map[Target][]inventory.Offer {
		return r.origins(zypperLists(), zypperListed(search.found, r.repositories(zypperLists().repositories), installed), wanted)
	}
	widget, gone := Target{"widget", "noarch", "1.1-1"}, Target{"widget", "noarch", "1.2-1"}
	want := inventory.Offer{Package: "widget", Source: "wodget", Candidate: "1.1-1", Arch: "noarch", Origin: "Test",
		Suite: "updates", Codename: "updates", Label: "Test updates", Site: "mirror.example", Manager: "zypper"}
	got := find(widget, gone)
	if diff := cmp.Diff(map[Target][]inventory.Offer{widget: {want}}, got); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
	s = rooted(t, map[string]string{"etc/zypp/repos.d/all.repo": "[updates]\nname=Test updates\n[backports]\nname=Test updates\n"})
	r = rpmDatabase{s}
	if got := find(widget); len(got) > 0 {
		t.Errorf("a title that two repositories have gives %v", got)
	}
}

func TestTitlesOfZypper(t *testing.T) {
	repositories := map[string]rpmRepository{
		"oss": {id: "oss", name: "Leap $releasever (OSS)"}, "update": {id: "update", name: "Leap ${releasever} update"}, "plain": {id: "plain"},
		"twin": {id: "twin", name: "Same"}, "twin2": {id: "twin2", name: "Same"}, "price": {id: "price", name: "costs 5$"},
	}
	for title, want := range map[string]string{"Leap 15.6 (OSS)": "oss", "Leap 15.6 update": "update", "plain": "plain", "Same": "", "costs 5$": "price",
		"Leap (OSS)": "", "Leap 15.6 (OSS) and more": "", "": "", "(System Packages)": ""} {
		if id, ok := titled(title, repositories); id != want || ok != (want != "") {
			t.Errorf("titled(%q) = %q, %t, want %q", title, id, ok, want)
		}
	}
}

func FuzzTitles(f *testing.F) {
	f.Add("Leap $releasever (OSS)", "Leap 15.6 (OSS)")
	f.Add("${", "${")
	f.Add("$(", "x")
	f.Fuzz(func(t *testing.T, name, title string) {
		if id, ok := titled(name, map[string]rpmRepository{"a": {id: "a", name: name}}); name != "" && (!ok || id != "a") {
			t.Errorf("titled(%q) does not find itself", name)
		}
		titled(title, map[string]rpmRepository{"a": {id: "a", name: name}, "b": {id: "b", name: title}})
	})
}

func TestOriginsOfDnf(t *testing.T) {
	s := rooted(t, map[string]string{"etc/yum.repos.d/all.repo": "[updates]\nname=Test updates\nbaseurl=http://mirror.example/updates\n"})
	widget := Target{"widget", "noarch", "1.1-1"}
	lines := []string{"widget\tnoarch\t0:1.0-1\tbase\t6000\twidget-1.0-1.src.rpm\tTest\n", "widget\tnoarch\t0:1.1-1\tupdates\t6000\twodget-1.1-1.src.rpm\tTest\n",
		"widget\tnoarch\t0:1.1-1\tcopr\t6000\twidget-1.1-1.src.rpm\t(none)\n"}
	from := inventory.Offer{Package: "widget", Source: "wodget", SourceVersion: "1.1-1", Candidate: "1.1-1", Arch: "noarch", Origin: "Test", Size: 6000,
		Suite: "updates", Codename: "updates", Label: "Test updates", Site: "mirror.example", Manager: "dnf"}
	other := inventory.Offer{Package: "widget", Source: "widget", SourceVersion: "1.1-1", Candidate: "1.1-1", Arch: "noarch", Origin: "copr", Size: 6000,
		Suite: "copr", Codename: "copr", Label: "copr", Manager: "dnf"}
	got := rpmDatabase{s}.origins(dnfLists(), dnfListed(strings.Join(lines, "")), []Target{widget})
	if diff := cmp.Diff(map[Target][]inventory.Offer{widget: {from, other}}, got); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
}
