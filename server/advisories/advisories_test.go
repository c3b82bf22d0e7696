package advisories

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
	"plumb/policies/patch"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestReadDebian(t *testing.T) {
	got, err := Read(fixture(t, "tracker.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := []patch.Advisory{{ID: "CVE-2026-1001", Feed: "debian", Summary: "a peer can crash the handshake", Severity: "high", CVEs: []string{"CVE-2026-1001"},
		Affected: []patch.Affected{
			{Origin: "Debian", Release: "bookworm", Package: "openssl", Fixed: "3.0.22-1~deb12u2"},
			{Origin: "Debian", Release: "trixie", Package: "openssl"},
			{Origin: "Debian", Release: "bookworm", Package: "openssl1.1", Fixed: "1.1.1w-1"},
		}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Read (-want +got):\n%s", diff)
	}
}

func TestReadOSV(t *testing.T) {
	got, err := Read(fixture(t, "osv.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := []patch.Advisory{
		{ID: "DSA-6001-1", Feed: "osv", Summary: "unzip - security update", Severity: "high", CVEs: []string{"CVE-2026-2001", "CVE-2026-2002"}, Exploited: true,
			Published: time.Date(2026, 11, 18, 22, 30, 0, 123_000_000, time.UTC),
			Affected:  []patch.Affected{{Origin: "Debian", Release: "bookworm", Package: "unzip", Fixed: "6.0-28+deb12u1"}}},
		{ID: "USN-7000-1", Feed: "osv", Summary: "linux vulnerabilities", Severity: "medium", CVEs: []string{"CVE-2026-3001"},
			Published: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
			Affected: []patch.Affected{{Origin: "Ubuntu", Release: "jammy", Package: "linux", Fixed: "5.15.0-130.140"},
				{Origin: "Ubuntu", Release: "bionic", Package: "linux", Fixed: "4.15.0-240.252+esm1"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Read (-want +got):\n%s", diff)
	}
	var all []json.RawMessage
	if err := json.Unmarshal(fixture(t, "osv.json"), &all); err != nil {
		t.Fatal(err)
	}
	single, err := Read(all[0])
	if err != nil || len(single) != 1 || single[0].ID != "DSA-6001-1" {
		t.Errorf("Read of a single advisory = %+v, %v", single, err)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "text": "hello", "number": "1", "array of numbers": "[1]", "advisory without id": `[{"affected":[]}]`,
		"another map": `{"a":{"b":1}}`, "bad package": `{"a b":{"CVE-2026-1":{}}}`, "bad id": `{"openssl":{"../x":{}}}`, "cut": `{"openssl":{"CVE-2026-1":`,
		"not closed": `{"openssl":{"CVE-2026-1":{}}`, "two of them": `{"openssl":{"CVE-2026-1":{}}}{}`,
	} {
		if _, err := Read([]byte(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: Read = %v, want ErrFormat", name, err)
		}
	}
}

// What other tools get wrong: a version that looks old and holds the fix, or the reverse.
func TestAnswered(t *testing.T) {
	debian := func(fixed string) []patch.Advisory {
		return []patch.Advisory{{ID: "DSA-1", Affected: []patch.Affected{{Origin: "Debian", Release: "bookworm", Package: "src", Fixed: fixed}}}}
	}
	cases := map[string]struct {
		installed, candidate, fixed string
		change                      func(*inventory.Offer)
		want                        bool
	}{
		"fix comes with it":          {"1.0-1", "1.0-1+deb12u1", "1.0-1+deb12u1", nil, true},
		"backported fix is there":    {"1.0-1+deb12u1", "1.0-1+deb12u2", "1.0-1+deb12u1", nil, false},
		"deb12u10 is after deb12u9":  {"2.36-9+deb12u9", "2.36-9+deb12u10", "2.36-9+deb12u10", nil, true},
		"deb12u10 has deb12u9's fix": {"2.36-9+deb12u10", "2.36-9+deb12u11", "2.36-9+deb12u9", nil, false},
		"backport sorts before":      {"1.2-3~bpo12+1", "1.2-3", "1.2-3", nil, true},
		"backport is newer":          {"1.2-3~bpo12+1", "1.2-4~bpo12+1", "1.0-1+deb12u1", nil, false},
		"candidate is not enough":    {"1.0-1", "1.0-2", "1.0-3", nil, false},
		"no fix yet":                 {"1.0-1", "1.0-2", "", nil, false},
		"epoch":                      {"1:0.9-1", "1:0.9-2", "1.0-1", nil, false},
		"rebuild":                    {"1.0-1+b1", "1.0-1+b2", "1.0-1", func(o *inventory.Offer) { o.InstalledSource, o.SourceVersion = "1.0-1", "1.0-1" }, false},
		"version of the source":      {"5:7.0-1", "5:7.0-2", "2.0-2", func(o *inventory.Offer) { o.InstalledSource, o.SourceVersion = "2.0-1", "2.0-2" }, true},
		"another release":            {"1.0-1", "1.0-2", "1.0-2", func(o *inventory.Offer) { o.Codename = "trixie" }, false},
		"from the main archive":      {"1.0-1", "1.0-2", "1.0-2", func(o *inventory.Offer) { o.Codename = "bookworm" }, true},
		"another source package":     {"1.0-1", "1.0-2", "1.0-2", func(o *inventory.Offer) { o.Source = "web" }, false},
		"somebody else's package":    {"1.0-1", "1.0-2", "1.0-2", func(o *inventory.Offer) { o.Origin = "nginx" }, false},
		"no version at all":          {"1.0-1", "1.0-2", "soon!", nil, false},
		"extended support is later":  {"1.0-1ubuntu1", "1.0-1ubuntu1+esm1", "1.0-1ubuntu1+esm1", nil, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := inventory.Offer{Package: "lib", Source: "src", Installed: c.installed, Candidate: c.candidate, Origin: "Debian", Codename: "bookworm-security"}
			if c.change != nil {
				c.change(&o)
			}
			got := Answered(o, debian(c.fixed), func(a patch.Advisory) patch.Advisory { return a })
			if (len(got) == 1) != c.want {
				t.Errorf("Answered = %+v, want %t", got, c.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(fixture(f, "tracker.json"))
	f.Add(fixture(f, "osv.json"))
	f.Add([]byte(`[{"id":"DSA-1","summary":"\u001b[2J","affected":[{"package":{"ecosystem":"Debian:","name":"x"},"ranges":[{"type":"ECOSYSTEM","events":[{"fixed":"\n"}]}]}]}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := Read(raw)
		if err != nil {
			return
		}
		for _, a := range list {
			if a.ID == "" || len(a.Affected) == 0 || !slices.Contains(patch.Severities(), a.Severity) || strings.ContainsAny(a.Summary, "\x1b\n\r") {
				t.Errorf("advisory = %+v", a)
			}
			for _, one := range a.Affected {
				if one.Package == "" || one.Fixed == "0" || strings.ContainsAny(one.Fixed, " \n\x1b") {
					t.Errorf("affected = %+v", one)
				}
			}
		}
	})
}
