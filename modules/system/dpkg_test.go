package system

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rooted makes a root folder with the given files.
func rooted(t testing.TB, files map[string]string) *System {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		full := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return &System{Root: root}
}

func stanza(name, arch, state, version string) string {
	return fmt.Sprintf("Package: %s\nStatus: %s\nArchitecture: %s\nVersion: %s\nDescription: x\n Version: 9\n\n", name, state, arch, version)
}

func TestDpkgStates(t *testing.T) {
	cases := map[string]struct {
		state                   string
		installed, gone, broken bool
	}{
		"installed":        {"install ok installed", true, false, false},
		"held":             {"hold ok installed", true, false, false},
		"to be removed":    {"deinstall ok installed", false, false, false},
		"reinstreq":        {"install reinstreq half-installed", false, false, true},
		"installed badly":  {"install reinstreq installed", false, false, true},
		"half-configured":  {"install ok half-configured", false, false, true},
		"unpacked":         {"install ok unpacked", false, false, true},
		"triggers pending": {"install ok triggers-pending", false, false, true},
		"config files":     {"deinstall ok config-files", false, true, false},
		"never there":      {"unknown ok not-installed", false, true, false},
		"nonsense":         {"installed", false, true, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := rooted(t, map[string]string{"var/lib/dpkg/status": stanza("x", "all", c.state, "1")})
			d, err := s.Dpkg()
			if err != nil {
				t.Fatal(err)
			}
			p, ok := d.Find("x")
			if !ok || p.Installed() != c.installed || p.Gone() != c.gone || p.Broken() != c.broken || p.Version != "1" {
				t.Errorf("%q = %+v: installed %t, gone %t, broken %t", c.state, p, p.Installed(), p.Gone(), p.Broken())
			}
		})
	}
}

func TestDpkgArchitectures(t *testing.T) {
	s := rooted(t, map[string]string{"var/lib/dpkg/status": stanza("libc6", "i386", "install ok installed", "1") +
		stanza("libc6", "amd64", "install ok installed", "2") + stanza("dpkg", "amd64", "install ok installed", "3") +
		stanza("wine", "i386", "install ok installed", "4")})
	d, err := s.Dpkg()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"libc6": "2", "libc6:i386": "1", "dpkg": "3", "wine:i386": "4"}
	if diff := cmp.Diff(want, d.Versions()); diff != "" {
		t.Errorf("Versions() (-want +got):\n%s", diff)
	}
	for name, version := range map[string]string{"libc6": "2", "libc6:i386": "1", "libc6:amd64": "2", "wine": "4", "wine:amd64": ""} {
		if p, _ := d.Find(name); p.Version != version {
			t.Errorf("Find(%q) = %q, want version %q", name, p.Version, version)
		}
	}
}

// A dpkg that was killed has its newest word in its journal, not in the status file.
func TestDpkgJournalWins(t *testing.T) {
	s := rooted(t, map[string]string{
		"var/lib/dpkg/status":        stanza("x", "all", "install ok installed", "1"),
		"var/lib/dpkg/updates/0000":  stanza("x", "all", "install reinstreq half-installed", "1"),
		"var/lib/dpkg/updates/0001":  stanza("x", "all", "install ok unpacked", "2"),
		"var/lib/dpkg/updates/tmp.i": stanza("x", "all", "install ok installed", "3"),
	})
	d, err := s.Dpkg()
	if err != nil {
		t.Fatal(err)
	}
	if p, _ := d.Find("x"); p.State() != "install ok unpacked" || p.Version != "2" || !d.Interrupted {
		t.Errorf("x is %q %s, interrupted %t, want the journal's last word", p.State(), p.Version, d.Interrupted)
	}
}

func TestDpkgStatusFolder(t *testing.T) {
	s := rooted(t, map[string]string{
		"var/lib/dpkg/status.d/base":         "Package: base-files\nVersion: 12\nArchitecture: amd64\n",
		"var/lib/dpkg/status.d/base.md5sums": "d41d8cd98f00b204e9800998ecf8427e  etc/x\n",
	})
	d, err := s.Dpkg()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"base-files": "12"}, d.Versions()); diff != "" {
		t.Errorf("Versions() (-want +got):\n%s", diff)
	}
}

func TestDpkgIsRemembered(t *testing.T) {
	s := rooted(t, map[string]string{"var/lib/dpkg/status": stanza("x", "all", "install ok installed", "1")})
	version := func() string {
		d, err := s.Dpkg()
		if err != nil {
			t.Fatal(err)
		}
		return d.Versions()["x"]
	}
	version()
	journal := filepath.Join(s.Root, "var/lib/dpkg/updates/0000")
	if err := errors.Join(os.MkdirAll(filepath.Dir(journal), 0o755), os.WriteFile(journal, []byte(stanza("x", "all", "install ok installed", "2")), 0o644)); err != nil {
		t.Fatal(err)
	}
	if got := version(); got != "1" {
		t.Errorf("version = %q, want the remembered 1", got)
	}
	s.ForgetDpkg()
	if got := version(); got != "2" {
		t.Errorf("version after ForgetDpkg = %q, want the journal's 2", got)
	}
	status := filepath.Join(s.Root, "var/lib/dpkg/status")
	if err := errors.Join(os.Remove(journal), os.WriteFile(status+"-new", []byte(stanza("x", "all", "install ok installed", "3")), 0o644),
		os.Rename(status+"-new", status)); err != nil {
		t.Fatal(err)
	}
	if got := version(); got != "3" {
		t.Errorf("version = %q after dpkg replaced its status, want 3", got)
	}
}

func TestDpkgMissing(t *testing.T) {
	if _, err := rooted(t, nil).Dpkg(); !errors.Is(err, ErrNoDpkg) {
		t.Errorf("Dpkg() = %v, want ErrNoDpkg", err)
	}
}

// The scanner and dpkg-query must agree on this very machine.
func TestDpkgAgreesWithDpkgQuery(t *testing.T) {
	out, err := exec.Command("dpkg-query", "-W", "-f", "${binary:Package} ${Version} ${Status} ${source:Package}\n").Output()
	if err != nil {
		t.Skipf("needs dpkg-query: %v", err)
	}
	d, err := (&System{Root: "/"}).Dpkg()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for _, line := range lines {
		name, want, _ := strings.Cut(line, " ")
		p, _ := d.Find(name)
		if got := fmt.Sprintf("%s %s %s", p.Version, p.State(), p.Source); got != want {
			t.Errorf("Find(%s) = %q, dpkg-query says %q", name, got, want)
		}
	}
	if got := len(d.All()); got != len(lines) {
		t.Errorf("the scanner knows %d packages, dpkg-query %d", got, len(lines))
	}
}

func manyPackages(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "Package: p%d\nStatus: install ok installed\nPriority: optional\nArchitecture: amd64\nVersion: 1.%d-1\nDepends: libc6 (>= 2.36)\nDescription: some words\n%s\n", i, i, strings.Repeat(" more words about it\n", 20))
	}
	return b.String()
}

func TestDpkgIsFast(t *testing.T) {
	s := rooted(t, map[string]string{"var/lib/dpkg/status": manyPackages(1000)})
	best := time.Hour
	for range 5 {
		s.ForgetDpkg()
		start := time.Now()
		d, err := s.Dpkg()
		if err != nil || len(d.All()) != 1000 {
			t.Fatalf("Dpkg() = %v", err)
		}
		best = min(best, time.Since(start))
	}
	if best > 50*time.Millisecond {
		t.Errorf("1,000 packages took %s, want a few milliseconds", best)
	}
}

func BenchmarkDpkg(b *testing.B) {
	s := rooted(b, map[string]string{"var/lib/dpkg/status": manyPackages(1000)})
	for b.Loop() {
		s.ForgetDpkg()
		if _, err := s.Dpkg(); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzScanStatus(f *testing.F) {
	recorded, err := os.ReadFile("testdata/dpkg-status")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(recorded)
	f.Add([]byte(stanza("x", "all", "install ok installed", "1")))
	f.Add([]byte("Package:\n\n:\n Status: x\nStatus:\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		scanStatus(raw, func(p Package) {
			if p.Name == "" || strings.ContainsAny(p.Name+p.Version, "\n") || p.Installed() && p.Broken() {
				t.Errorf("scanStatus gave %+v", p)
			}
		})
	})
}

func TestSystemsThatShareADatabaseReadItOnce(t *testing.T) {
	root, shared := t.TempDir(), new(DpkgMemory)
	status := filepath.Join(root, "var/lib/dpkg/status")
	must(t, os.MkdirAll(filepath.Dir(status), 0o755))
	must(t, os.WriteFile(status, []byte("Package: a\nVersion: 1\nStatus: install ok installed\n"), 0o644))
	first, err := (&System{Root: root, Database: shared}).Dpkg()
	must(t, err)
	if again, err := (&System{Root: root, Database: shared}).Dpkg(); err != nil || again != first {
		t.Errorf("Dpkg() read again: %v", err)
	}
	must(t, os.WriteFile(status+"-new", []byte("Package: a\nVersion: 2\nStatus: install ok installed\n"), 0o644))
	must(t, os.Rename(status+"-new", status))
	second, err := (&System{Root: root, Database: shared}).Dpkg()
	must(t, err)
	if p, _ := second.Find("a"); p.Version != "2" {
		t.Errorf("Find(a) = %+v, want the version that is there now", p)
	}
}
