package advisories

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
	"plumb/policies/patch"
)

func notice(change func(*inventory.Notice)) inventory.Notice {
	n := inventory.Notice{ID: "FEDORA-2026-0a1b", Kind: "security", Severity: "important", Summary: "curl\nis mended", CVEs: []string{"CVE-2026-7", "no number", "CVE-2026-0007"},
		Issued: "2026-11-18T10:00:00Z", Fixes: []inventory.Fix{{Package: "curl", Arch: "x86_64", Version: "0:8.9.1-3.fc41"}}}
	if change != nil {
		change(&n)
	}
	return n
}

func TestOfNotice(t *testing.T) {
	got := OfNotice("dnf", notice(func(n *inventory.Notice) { n.Fixes = append(n.Fixes, n.Fixes[0]) }))
	want := patch.Advisory{ID: "FEDORA-2026-0a1b", Feed: "dnf", Summary: "curl is mended", Severity: "high", CVEs: []string{"CVE-2026-0007"},
		Published: time.Date(2026, 11, 18, 10, 0, 0, 0, time.UTC), Affected: []patch.Affected{{Origin: "dnf", Package: "curl", Fixed: "0:8.9.1-3.fc41"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("OfNotice (-want +got):\n%s", diff)
	}
}

func TestAnsweredNotices(t *testing.T) {
	for name, c := range map[string]struct {
		offer  func(*inventory.Offer)
		notice func(*inventory.Notice)
		want   bool
	}{
		"the fix":              {nil, nil, true},
		"newer than the fix":   {func(o *inventory.Offer) { o.Candidate = "8.10.0-1.fc41" }, nil, true},
		"older than the fix":   {func(o *inventory.Offer) { o.Candidate = "8.9.1-2.fc41" }, nil, false},
		"fixed before":         {func(o *inventory.Offer) { o.Installed = "8.9.1-3.fc41" }, nil, false},
		"before the tilde":     {func(o *inventory.Offer) { o.Candidate = "8.9.1~rc1-3.fc41" }, nil, false},
		"another package":      {func(o *inventory.Offer) { o.Package = "libcurl" }, nil, false},
		"another architecture": {func(o *inventory.Offer) { o.Arch = "aarch64" }, nil, false},
		"for all":              {nil, func(n *inventory.Notice) { n.Fixes[0].Arch = "noarch" }, true},
		"for any":              {nil, func(n *inventory.Notice) { n.Fixes[0].Arch = "" }, true},
		"second fix": {nil, func(n *inventory.Notice) {
			n.Fixes = []inventory.Fix{{Package: "x", Version: "1-1"}, n.Fixes[0]}
		}, true},
		"no fix": {nil, func(n *inventory.Notice) { n.Fixes = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := inventory.Offer{Package: "curl", Source: "curl", Installed: "8.9.1-2.fc41", Candidate: "8.9.1-3.fc41", Arch: "x86_64", Manager: "dnf"}
			if c.offer != nil {
				c.offer(&o)
			}
			if got := AnsweredNotices(o, []inventory.Notice{notice(c.notice)}); (len(got) == 1) != c.want {
				t.Errorf("AnsweredNotices = %+v, want %t", got, c.want)
			}
		})
	}
}

func TestNewer(t *testing.T) {
	for name, c := range map[string]struct {
		manager, a, b string
		want          bool
	}{
		"deb":                 {"apt", "1.0-1+deb12u10", "1.0-1+deb12u9", true},
		"deb epoch":           {"apt", "1:0.1-1", "2.0-1", true},
		"rpm":                 {"zypper", "1.0-10", "1.0-9", true},
		"rpm caret is after":  {"dnf", "1.0^git1-1", "1.0-1", true},
		"deb has no caret":    {"apt", "1.0^git1-1", "1.0-1", false},
		"equal":               {"dnf", "1.0-1", "0:1.0-1", false},
		"nothing to compare":  {"apt", "not a version!", "1", false},
		"nothing, rpm's side": {"dnf", "2 0", "1", false},
	} {
		if got := Newer(c.manager, c.a, c.b); got != c.want {
			t.Errorf("%s: Newer(%s, %s, %s) = %t, want %t", name, c.manager, c.a, c.b, got, c.want)
		}
	}
}

func TestCheckNotices(t *testing.T) {
	if err := CheckNotices([]inventory.Notice{notice(nil)}); err != nil {
		t.Errorf("CheckNotices of a good one = %v", err)
	}
	for name, change := range map[string]func(*inventory.Notice){
		"no id":         func(n *inventory.Notice) { n.ID = "" },
		"path as id":    func(n *inventory.Notice) { n.ID = "../x" },
		"odd package":   func(n *inventory.Notice) { n.Fixes[0].Package = "a b" },
		"odd version":   func(n *inventory.Notice) { n.Fixes[0].Version = "1\n2" },
		"endless fixes": func(n *inventory.Notice) { n.Fixes = slices.Repeat(n.Fixes, maxAffected+1) },
		"endless text":  func(n *inventory.Notice) { n.Summary = strings.Repeat("x", 65<<10) },
		"endless arch":  func(n *inventory.Notice) { n.Fixes[0].Arch = strings.Repeat("x", 300) },
	} {
		if CheckNotices([]inventory.Notice{notice(change)}) == nil {
			t.Errorf("%s: CheckNotices = nil, want an error", name)
		}
	}
	if CheckNotices(make([]inventory.Notice, MaxNotices+1)) == nil {
		t.Error("CheckNotices of too many = nil")
	}
}

func FuzzNotices(f *testing.F) {
	raw, err := json.Marshal([]inventory.Notice{notice(nil), notice(func(n *inventory.Notice) { n.Issued, n.Severity, n.Summary = "soon", "\x1b", "\x1b[2J" })})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var list []inventory.Notice
		if json.Unmarshal(raw, &list) != nil || CheckNotices(list) != nil {
			return
		}
		for _, n := range list {
			a := OfNotice("dnf", n)
			if !slices.Contains(patch.Severities(), a.Severity) || strings.ContainsAny(a.Summary, "\x1b\n\r") || a.Affected == nil {
				t.Errorf("advisory = %+v", a)
			}
		}
	})
}
