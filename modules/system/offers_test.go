package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
)

// offering makes a root with the recorded lists and the given dpkg status.
func offering(t testing.TB, status string, more map[string]string) *System {
	t.Helper()
	files := map[string]string{"var/lib/dpkg/status": status}
	recordings, err := filepath.Glob("testdata/apt/lists/*")
	if err != nil || len(recordings) != 4 {
		t.Fatalf("testdata/apt/lists has %d files, %v", len(recordings), err)
	}
	for _, name := range recordings {
		files["var/lib/apt/lists/"+filepath.Base(name)] = recorded(t, "apt/lists/"+filepath.Base(name))
	}
	maps.Copy(files, more)
	return rooted(t, files)
}

func offers(t testing.TB, s *System) []inventory.Offer {
	t.Helper()
	from, err := s.OfferSource()
	if err != nil {
		t.Fatal(err)
	}
	found, err := from.Offers(t.Context())
	if err != nil || found.Manager != "apt" {
		t.Fatalf("Offers = %+v, %v", found, err)
	}
	return found.List
}

func TestOffersFromRecordedLists(t *testing.T) {
	status := stanza("dpkg", "amd64", "install ok installed", "1.21.22") +
		stanza("openssl", "amd64", "install ok installed", "3.0.19-1~deb12u2") +
		strings.Replace(stanza("linux-libc-dev", "amd64", "hold ok installed", "6.1.187-1"), "Version", "Source: linux\nVersion", 1) +
		stanza("python3-jwt", "all", "install ok installed", "2.6.0-1") +
		stanza("tzdata", "all", "install ok installed", "2026b-0+deb12u1") +
		stanza("unzip", "amd64", "deinstall ok config-files", "6.0-27")
	debian := inventory.Offer{Manager: "apt", Origin: "Debian", Suite: "oldstable-security", Label: "Debian-Security",
		Codename: "bookworm-security", Component: "main", Site: "mirror.example.org", Security: true}
	linux, openssl, jwt := debian, debian, debian
	linux.Package, linux.Source, linux.Installed, linux.Candidate, linux.Arch = "linux-libc-dev", "linux", "6.1.187-1", "6.1.192-2", "amd64"
	linux.Held, linux.Reboot = true, true
	openssl.Package, openssl.Source, openssl.Installed, openssl.Candidate, openssl.Arch = "openssl", "openssl", "3.0.19-1~deb12u2", "3.0.22-1~deb12u2", "amd64"
	jwt.Package, jwt.Source, jwt.Installed, jwt.Candidate, jwt.Arch = "python3-jwt", "pyjwt", "2.6.0-1", "2.6.0-1+deb12u1", "all"
	got := offers(t, offering(t, status, nil))
	for i := range got {
		if got[i].Size < 10_000 {
			t.Errorf("%s has a size of %d bytes", got[i].Package, got[i].Size)
		}
		got[i].Size = 0
	}
	if diff := cmp.Diff([]inventory.Offer{linux, openssl, jwt}, got); diff != "" {
		t.Errorf("offers (-want +got):\n%s", diff)
	}
}

// release and pack write what a repository says about itself and about one package.
func release(origin, suite, more string) string {
	return "Origin: " + origin + "\nLabel: " + origin + "\nSuite: " + suite + "\nCodename: " + suite + "\n" + more
}

func pack(name, version, more string) string {
	return "Package: " + name + "\nVersion: " + version + "\nArchitecture: amd64\n" + more + "Description: x\n more\n\n"
}

func TestOffersChooseAsAptDoes(t *testing.T) {
	const lists = "var/lib/apt/lists/"
	cases := map[string]struct {
		files map[string]string
		want  string // candidate, suite, security, phased
	}{
		"newest of equals": {map[string]string{
			lists + "a_dists_x_Release": release("A", "x", ""), lists + "a_dists_x_main_binary-amd64_Packages": pack("web", "1.1", "") + pack("web", "1.10", ""),
		}, "1.10 x false 0"},
		"dpkg's order": {map[string]string{
			lists + "a_dists_x_Release": release("A", "x", ""), lists + "a_dists_x_main_binary-amd64_Packages": pack("web", "1.0+b1", "") + pack("web", "1.1~rc1", ""),
		}, "1.1~rc1 x false 0"},
		"backports are not automatic": {map[string]string{
			lists + "a_dists_x_Release": release("A", "x", ""), lists + "a_dists_x_main_binary-amd64_Packages": pack("web", "1.0", ""),
			lists + "a_dists_x-backports_Release":                    release("A", "x-backports", "NotAutomatic: yes\nButAutomaticUpgrades: yes\n"),
			lists + "a_dists_x-backports_main_binary-amd64_Packages": pack("web", "2.0", ""),
		}, ""},
		"what came from backports goes on there": {map[string]string{
			lists + "a_dists_x-backports_Release":                    release("A", "x-backports", "NotAutomatic: yes\nButAutomaticUpgrades: yes\n"),
			lists + "a_dists_x-backports_main_binary-amd64_Packages": pack("web", "2.0", ""),
		}, "2.0 x-backports false 0"},
		"experimental never": {map[string]string{
			lists + "a_dists_exp_Release": release("A", "exp", "NotAutomatic: yes\n"), lists + "a_dists_exp_main_binary-amd64_Packages": pack("web", "3.0", ""),
		}, ""},
		"security on the way": {map[string]string{
			lists + "a_dists_x_Release": release("A", "x", ""), lists + "a_dists_x_main_binary-amd64_Packages": pack("web", "1.2", ""),
			lists + "a_dists_x-security_Release": release("A", "x-security", ""), lists + "a_dists_x-security_main_binary-amd64_Packages": pack("web", "1.1", ""),
		}, "1.2 x true 0"},
		"phased": {map[string]string{
			lists + "u_dists_n_InRelease": release("Ubuntu", "n", ""), lists + "u_dists_n_main_binary-amd64_Packages": pack("web", "1.1", "Phased-Update-Percentage: 40\n"),
		}, "1.1 n false 40"},
		"pulled": {map[string]string{
			lists + "u_dists_n_InRelease": release("Ubuntu", "n", ""), lists + "u_dists_n_main_binary-amd64_Packages": pack("web", "1.1", "Phased-Update-Percentage: 0\n"),
		}, "1.1 n false 1"},
		"another architecture": {map[string]string{
			lists + "a_dists_x_Release": release("A", "x", ""), lists + "a_dists_x_main_binary-i386_Packages": strings.ReplaceAll(pack("web", "1.1", ""), "amd64", "i386"),
		}, ""},
		"flat repository": {map[string]string{
			lists + "_srv_repo_._Release": release("Own", "own", ""), lists + "_srv_repo_._Packages": pack("web", "1.1", ""),
		}, "1.1 own false 0"},
		"no version that dpkg takes": {map[string]string{
			lists + "a_dists_x_Release": release("A", "x", ""), lists + "a_dists_x_main_binary-amd64_Packages": pack("web", "latest", ""),
		}, ""},
		"list without a Release file": {map[string]string{lists + "a_dists_x_main_binary-amd64_Packages": pack("web", "9", "")}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.files["var/lib/dpkg/status"] = stanza("dpkg", "amd64", "install ok installed", "1") + stanza("web", "amd64", "install ok installed", "1.0")
			got := []string{}
			for _, o := range offers(t, rooted(t, c.files)) {
				got = append(got, fmt.Sprintf("%s %s %t %d", o.Candidate, o.Suite, o.Security, o.Phased))
			}
			if strings.Join(got, "; ") != c.want {
				t.Errorf("offers = %q, want %q", got, c.want)
			}
		})
	}
}

func TestOffersNeedPackageLists(t *testing.T) {
	if _, err := rooted(t, nil).OfferSource(); !errors.Is(err, ErrNoOffers) {
		t.Errorf("OfferSource without apt = %v, want ErrNoOffers", err)
	}
	packed := offering(t, "", map[string]string{"var/lib/apt/lists/mirror.example.org_debian_dists_bookworm_contrib_binary-amd64_Packages.lz4": "x"})
	from, err := packed.OfferSource()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := from.Offers(t.Context()); err == nil || !strings.Contains(err.Error(), "packed") {
		t.Errorf("Offers of a packed list = %v, want an error that says so", err)
	}
}

func TestOffersKey(t *testing.T) {
	s := offering(t, stanza("web", "amd64", "install ok installed", "1"), nil)
	key := func() string {
		from, err := s.OfferSource()
		if err != nil {
			t.Fatal(err)
		}
		key, err := from.OffersKey()
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	first := key()
	if key() != first {
		t.Error("the key of an idle host changes")
	}
	if err := os.WriteFile(filepath.Join(s.Root, "var/lib/dpkg/status"), []byte(stanza("web", "amd64", "install ok installed", "1.1")), 0o644); err != nil {
		t.Fatal(err)
	}
	if key() == first {
		t.Error("the key is the same after a package changed")
	}
}

var simulated = regexp.MustCompile(`(?m)^Inst (\S+) \[(\S+)\] \((\S+) `)

// apt on the machine that runs the test is the judge: what it would upgrade has to be on offer.
func TestOffersAgreeWithApt(t *testing.T) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Skip("needs apt-get: its simulation is compared with what we read")
	}
	s := &System{Root: "/"}
	out, err := exec.Command("apt-get", "-s", "-o", "Debug::NoLocking=1", "dist-upgrade").Output()
	if err != nil {
		t.Skipf("needs an apt that can upgrade this machine: %v", err)
	}
	from, err := s.OfferSource()
	if err != nil {
		t.Skipf("needs package lists: %v", err)
	}
	found, err := from.Offers(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ours := map[string]string{}
	for _, o := range found.List {
		ours[o.Package] = o.Installed + " " + o.Candidate
	}
	for _, m := range simulated.FindAllStringSubmatch(string(out), -1) {
		if ours[m[1]] != m[2]+" "+m[3] {
			t.Errorf("apt would upgrade %s from %s to %s, on offer is %q", m[1], m[2], m[3], ours[m[1]])
		}
	}
}

func TestParsePolicies(t *testing.T) {
	got := parsePolicies(recorded(t, "apt/policies.txt"))
	want := map[string]string{"openssl": "3.0.22-1~deb12u2", "unzip": "6.0-28+deb12u1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parsePolicies (-want +got):\n%s", diff)
	}
}

func FuzzPackageList(f *testing.F) {
	recordings, _ := filepath.Glob("testdata/apt/lists/*")
	for _, name := range recordings {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte("Package: a\n\nPackage: a\nVersion: 1\nArchitecture: amd64\nSize: -9\nPhased-Update-Percentage: 9999"))
	db := &Dpkg{Arch: "amd64", packages: map[string][]Package{}}
	for _, name := range []string{"a", "openssl", "unzip"} {
		db.add(Package{Name: name, Version: "0~", Arch: "amd64", Want: "install", Flag: "ok", Status: "installed"})
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		from := parseRelease("x_", raw)
		versions := map[string][]listed{}
		_ = scanList(bytes.NewReader(raw), from, "main_binary-amd64_Packages", db, func(l listed) { versions[l.name] = append(versions[l.name], l) })
		for _, p := range db.All() {
			o, ok := offerFor(p, p.Name, versions[p.Name])
			if ok && (o.Size < 0 || o.Phased < 0 || o.Phased > 100 || !newer(o.Candidate, o.Installed)) {
				t.Errorf("offer = %+v", o)
			}
		}
		parsePolicies(string(raw))
	})
}

// What apt says about a pinned package goes before what the lists alone would give.
func TestAptCorrectsCandidates(t *testing.T) {
	db := &Dpkg{Arch: "amd64", packages: map[string][]Package{}}
	db.add(Package{Name: "web", Version: "1.0", SourceVersion: "1.0", Arch: "amd64", Want: "install", Flag: "ok", Status: "installed"})
	repository := &aptRepository{origin: "A", priority: 500}
	versions := map[string][]listed{"web": {
		{name: "web", source: "web", version: "1.1", arch: "amd64", from: repository}, {name: "web", source: "web", version: "2.0", arch: "amd64", from: repository},
	}}
	p, _ := db.Find("web")
	offer, ok := offerFor(p, "web", versions["web"])
	if !ok || offer.Candidate != "2.0" {
		t.Fatalf("offerFor = %+v, %t, want 2.0", offer, ok)
	}
	cases := map[string]struct {
		said map[string]string
		want string
	}{
		"agrees":           {map[string]string{"web": "2.0"}, "2.0"},
		"pinned lower":     {map[string]string{"web": "1.1"}, "1.1"},
		"pinned to stay":   {map[string]string{"web": "1.0"}, ""},
		"pinned away":      {map[string]string{"web": "(none)"}, ""},
		"downgrade wanted": {map[string]string{"web": "0.9"}, ""},
		"not in the lists": {map[string]string{"web": "3.0"}, ""},
		"says nothing":     {map[string]string{}, "2.0"},
	}
	for name, c := range cases {
		got, ok := corrected(offer, c.said, db, versions)
		if ok != (c.want != "") || ok && got.Candidate != c.want {
			t.Errorf("%s: corrected = %q, %t, want %q", name, got.Candidate, ok, c.want)
		}
	}
}
