package system

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
)

// recordedRPM is what a program said on a real host.
func recordedRPM(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "rpm", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func listOfTargets(list []Target) string {
	var words []string
	for _, t := range list {
		words = append(words, t.nevra())
	}
	return strings.Join(words, " ")
}

func TestParseRPMList(t *testing.T) {
	list := parseRPMList(string(recordedRPM(t, "rpm-qa.txt")))
	if len(list) != 10 {
		t.Fatalf("%d packages, want 10 without the signing key", len(list))
	}
	want := rpmPackage{Target: Target{"kernel-core", "x86_64", "5.14.0-1"}, source: "kernel-core", sourceVersion: "5.14.0-1", vendor: "Test", size: 66}
	for _, p := range list {
		if p.Name == "kernel-core" {
			p.installed = 0
			if diff := cmp.Diff(want, p, cmp.AllowUnexported(rpmPackage{})); diff != "" {
				t.Errorf("kernel-core (-want +got):\n%s", diff)
			}
		}
	}
}

func TestTargetsOfRPM(t *testing.T) {
	cases := map[string]struct {
		name, arch, version string
		want                Target
		nevra, nvra         string
	}{
		"plain":        {"bash", "noarch", "5.1-2", Target{"bash", "noarch", "5.1-2"}, "bash-0:5.1-2.noarch", "bash-5.1-2.noarch"},
		"epoch":        {"dbus", "noarch", "1:1.12-8", Target{"dbus", "noarch", "1:1.12-8"}, "dbus-1:1.12-8.noarch", "dbus-1.12-8.noarch"},
		"epoch 0":      {"bash", "noarch", "0:5.1-2", Target{"bash", "noarch", "5.1-2"}, "bash-0:5.1-2.noarch", "bash-5.1-2.noarch"},
		"foreign arch": {"glibc", "s390", "2-1", Target{"glibc.s390", "s390", "2-1"}, "glibc-0:2-1.s390", "glibc-2-1.s390"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := rpmTarget(c.name, c.arch, c.version)
			if got != c.want || got.nevra() != c.nevra || got.nvra() != c.nvra || got.rpmName() != c.name {
				t.Errorf("rpmTarget(%s, %s, %s) = %+v, %s, %s, %s", c.name, c.arch, c.version, got, got.nevra(), got.nvra(), got.rpmName())
			}
		})
	}
}

func TestSplitSourceRPM(t *testing.T) {
	cases := map[string][3]string{
		"plain":  {"glibc-2.34-100.el9.src.rpm", "glibc", "2.34-100.el9"},
		"dashes": {"gcc-toolset-13-gcc-13.1-4.el9.src.rpm", "gcc-toolset-13-gcc", "13.1-4.el9"},
		"nosrc":  {"firmware-1-2.nosrc.rpm", "firmware", "1-2"},
		"none":   {"", "", ""},
		"odd":    {"x.rpm", "", ""},
		"short":  {"x-1.src.rpm", "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if source, version := splitSourceRPM(c[0]); source != c[1] || version != c[2] {
				t.Errorf("splitSourceRPM(%q) = %q, %q, want %q, %q", c[0], source, version, c[1], c[2])
			}
		})
	}
}

func TestVerifyFails(t *testing.T) {
	cases := map[string]struct {
		out  string
		want bool
	}{
		"nothing":            {"", false},
		"recorded":           {string(recordedRPM(t, "rpm-verify.txt")), true},
		"configuration":      {"S.5....T.  c /etc/widget.conf\n", false},
		"a program":          {"S.5....T.    /usr/bin/widget\n", true},
		"times only":         {".......T.    /usr/bin/widget\n", false},
		"missing":            {"missing     /usr/bin/thing\n", true},
		"missing config":     {"missing   c /etc/thing.conf\n", false},
		"missing documents":  {"missing   d /usr/share/doc/thing\n", false},
		"blanks in the name": {"S.5....T.    /usr/bin/a b\n", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := verifyFails(c.out); got != c.want {
				t.Errorf("verifyFails(%q) = %t, want %t", c.out, got, c.want)
			}
		})
	}
}

func TestOlderTwins(t *testing.T) {
	list := []rpmPackage{{Target: Target{"a", "noarch", "1-1"}}, {Target: Target{"a", "noarch", "1:0-1"}}, {Target: Target{"a.s390", "s390", "2-1"}},
		{Target: Target{"kernel-core", "x86_64", "1-1"}}, {Target: Target{"kernel-core", "x86_64", "2-1"}}}
	if got := listOfTargets(olderTwins(list)); got != "a-0:1-1.noarch" {
		t.Errorf("olderTwins = %s, want a 1-1 alone: kernels stand side by side", got)
	}
}

func TestTemporariesOfRPM(t *testing.T) {
	cases := map[string]string{"thing;6b028877": "thing", "a;b;6b028877": "a;b", "thing": "", "thing;6b02887": "", "thing;6b0288771": "", "thing;6B028877": "", ";6b028877": "", "thing;rpmnew77": ""}
	for name, want := range cases {
		if of, ok := unpackedAs(name); of != want || ok != (want != "") {
			t.Errorf("unpackedAs(%q) = %q, %t, want %q", name, of, ok, want)
		}
	}
	want := map[string][]string{"/usr/bin/": {"thing", "a b"}, "/etc/": {"thing.conf"}}
	if diff := cmp.Diff(want, byFolder("/usr/bin/thing\n/etc/thing.conf\n/usr/bin/a b\n(contains no files)\n")); diff != "" {
		t.Errorf("byFolder (-want +got):\n%s", diff)
	}
}

func TestParseRPMDump(t *testing.T) {
	const digest = "d1abdb6fc389e40b297e49ab1e3473a1590e152324bfe01d9f9ea9e4462ccdf0"
	got := parseRPMDump(string(recordedRPM(t, "rpm-dump.txt")) +
		"/etc/a b.conf 25 1795271425 " + digest + " 0100644 root root 1 0 0 X\n" +
		"/etc/link 7 1795271425 " + strings.Repeat("0", 64) + " 0120777 root root 1 0 0 target\n")
	want := map[string]string{"/etc/widget.conf": digest, "/etc/a b.conf": digest}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration files (-want +got):\n%s", diff)
	}
}

func TestFailedScripts(t *testing.T) {
	wanted := []Target{{"broken", "noarch", "1:1.1-1"}, {"fine", "noarch", "1-1"}}
	out := Output{Stdout: []byte("boom\nwarning: %post(broken-1.1-1.noarch) scriptlet failed, exit status 1\n"),
		Stderr: []byte("warning: %preun(other-1-1.noarch) scriptlet failed, exit status 1\n")}
	if got := listOfTargets(failedScripts(out, wanted)); got != "broken-1:1.1-1.noarch" {
		t.Errorf("failedScripts = %q, want broken", got)
	}
	if got := scriptWords(out); !strings.Contains(got, "boom; warning: %post(broken") {
		t.Errorf("scriptWords = %q, want what the script said, too", got)
	}
}

func TestRPMFamily(t *testing.T) {
	cases := map[string][2]string{
		"debian": {"ID=debian\n", ""},
		"rocky":  {"ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "rhel"},
		"fedora": {"ID=fedora\n", "rhel"},
		"leap":   {"ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n", "suse"},
		"ubuntu": {"ID=ubuntu\nID_LIKE=debian\n", ""},
		"none":   {"", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := &System{Root: t.TempDir()}
			must(t, os.Mkdir(s.Root+"/etc", 0o755))
			must(t, os.WriteFile(s.Root+"/etc/os-release", []byte(c[0]), 0o644))
			if got := s.rpmFamily(); got != c[1] || s.rpmTool() != "" {
				t.Errorf("rpmFamily of %q = %q, want %q; below another root no tool is called", c[0], got, c[1])
			}
		})
	}
}

func TestLivePackageManager(t *testing.T) {
	for _, text := range []string{"", "x", "1", "-5", "99999999"} {
		if holder, ok := livePackageManager(text); ok {
			t.Errorf("livePackageManager(%q) = %v, want nobody", text, holder)
		}
	}
	if _, ok := livePackageManager("2"); ok {
		t.Error("a process that is no package manager holds a stale lock")
	}
}

func TestScanUpdateinfo(t *testing.T) {
	var got []inventory.Notice
	must(t, scanUpdateinfo(bytes.NewReader(recordedRPM(t, "updateinfo.xml")), func(n inventory.Notice) { got = append(got, n) }))
	want := []inventory.Notice{
		{ID: "TEST-2026:1", Kind: "security", Severity: "high", Summary: "update TEST-2026:1", CVEs: []string{"CVE-2026-0001", "CVE-2026-0002"},
			Issued: "2026-01-02T03:04:05Z", Fixes: []inventory.Fix{{Package: "widget", Arch: "noarch", Version: "1.1-1"}}},
		{ID: "TEST-2026:2", Kind: "bugfix", Severity: "unknown", Summary: "update TEST-2026:2", Reboot: true,
			Issued: "2026-01-02T03:04:05Z", Fixes: []inventory.Fix{{Package: "gadget", Arch: "noarch", Version: "1.1-1"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
	if file := updateinfoFile(recordedRPM(t, "repomd.xml")); !strings.HasSuffix(file, "-updateinfo.xml.gz") {
		t.Errorf("updateinfoFile = %q", file)
	}
}

func TestNoticeTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-01-02 03:04:05": "2026-01-02T03:04:05Z", "2026-01-02": "2026-01-02T00:00:00Z", "1767323045": "2026-01-02T03:04:05Z", "soon": "", "": "",
	} {
		if got := noticeTime(text); got != want {
			t.Errorf("noticeTime(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestAnswered(t *testing.T) {
	notice := func(id, version string) inventory.Notice {
		return inventory.Notice{ID: id, Kind: "security", Reboot: true, Fixes: []inventory.Fix{{Package: "a", Version: version}}}
	}
	offers := []inventory.Offer{{Package: "a", Installed: "1-1", Candidate: "3-1"}, {Package: "b", Installed: "1-1", Candidate: "2-1"}}
	got := answered([]inventory.Notice{notice("on the way", "2-1"), notice("candidate", "3-1"), notice("beyond", "4-1"), notice("past", "1-1"), notice("candidate", "3-1")}, offers)
	if len(got) != 2 || got[0].ID != "candidate" || got[1].ID != "on the way" {
		t.Errorf("answered = %+v, want those from above 1-1 up to 3-1, each once", got)
	}
	if !offers[0].Security || !offers[0].Reboot || offers[1].Security || offers[1].Reboot {
		t.Errorf("offers = %+v, want a for security and with a reboot, and b not", offers)
	}
}

func TestParseRepoFile(t *testing.T) {
	got := parseRepoFile("# x\nname=lost\n[baseos]\nname=Rocky Linux $releasever - BaseOS\nmirrorlist=https://mirrors.example/list?x=y\n" +
		"[updates]\n name = Updates \nbaseurl = http://a.example/x, http://b.example/y\n[bare]\n")
	want := []rpmRepository{{"baseos", "Rocky Linux $releasever - BaseOS", "mirrors.example"}, {"updates", "Updates", "a.example"}, {id: "bare"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(rpmRepository{})); diff != "" {
		t.Errorf("repositories (-want +got):\n%s", diff)
	}
}

func TestRepositoryOfCache(t *testing.T) {
	for folder, want := range map[string]string{
		"updates-9a414bdc51035a96": "updates", "a-b-9a414bdc51035a96": "a-b", "repo-oss": "repo-oss", "x-9a414bdc51035a9g": "x-9a414bdc51035a9g", "": "",
	} {
		if got := repositoryOfCache(folder); got != want {
			t.Errorf("repositoryOfCache(%q) = %q, want %q", folder, got, want)
		}
	}
}
