package views

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

var rollStart = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// someEntries draws hosts that share few values, so that filters meet some of them.
func someEntries(t *rapid.T) ([]store.Entry, map[string]map[string]string) {
	few := func(name string, values ...string) string { return rapid.SampledFrom(values).Draw(t, name) }
	rings := map[string]map[string]string{"releases": {}}
	var list []store.Entry
	for i := range rapid.IntRange(0, 25).Draw(t, "hosts") {
		e := store.Entry{ID: inventory.HostID(fmt.Sprint("id", i)), Name: fmt.Sprintf("h%02d", rapid.IntRange(0, 99).Draw(t, "name")),
			Labels: few("labels", `{}`, `{"role":"web"}`, `{"role":"db","site":"ams"}`, `{"site":"ams"}`),
			Status: policies.Status(few("status", "compliant", "error", "stale")), Release: uint64(rapid.IntRange(0, 2).Draw(t, "release")),
			Terms: few("terms", "", "t1", "t2"), OS: few("os", "", "Debian 12", "SLES 15"), Words: few("words", "", "6.1.0 amd64", "6.1.0 arm64"),
			Since: rollStart.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "since")) * time.Hour), LastSeen: rollStart.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "seen")) * time.Hour)}
		e.Mismatch, e.Audit, e.Flapping = rapid.Bool().Draw(t, "mismatch"), rapid.Bool().Draw(t, "audit"), rapid.Bool().Draw(t, "flapping")
		if rapid.IntRange(0, 4).Draw(t, "revoked") == 0 {
			e.Revoked = rollStart
		}
		if ring := few("ring", "", "canary", "broad"); ring != "" {
			rings["releases"][e.Name] = ring
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b store.Entry) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(string(a.ID), string(b.ID)))
	})
	return list, rings
}

func newRoll(entries []store.Entry, groups map[string][]string, rings map[string]map[string]string, now time.Time) *Roll {
	c := newCall(rings, now)
	for _, e := range entries {
		c.add(e)
	}
	return c.over(groups)
}

// someGroups are those of hosts by their terms.
func someGroups() map[string][]string {
	return map[string][]string{"t1": {"linux"}, "t2": {"linux", "web"}}
}

// saysOf is what a host says to each facet, worked out the slow way.
func saysOf(e store.Entry, rings map[string]map[string]string) map[string][]string {
	all := map[string][]string{FacetStatus: {string(e.Status)}}
	for word, is := range map[string]bool{"mismatch": e.Mismatch, "audit": e.Audit, "flapping": e.Flapping, "revoked": !e.Revoked.IsZero()} {
		if is {
			all[FacetState] = append(all[FacetState], word)
		}
	}
	if groups := someGroups()[e.Terms]; groups != nil {
		all[FacetGroup] = groups
	}
	if e.Release > 0 {
		all[FacetRelease] = []string{fmt.Sprint(e.Release)}
	}
	if e.OS != "" {
		all[FacetOS] = []string{e.OS}
	}
	if ring := rings["releases"][e.Name]; ring != "" {
		all[FacetRing+"releases"] = []string{ring}
	}
	for _, pair := range []string{"role:web", "role:db", "site:ams"} {
		key, value, _ := strings.Cut(pair, ":")
		if strings.Contains(e.Labels, fmt.Sprintf("%q:%q", key, value)) {
			all[FacetLabel+key] = []string{value}
		}
	}
	return all
}

func selects(f RollFilter, e store.Entry, rings map[string]map[string]string, but string) bool {
	if !e.Revoked.IsZero() && !f.Revoked && f.Choices[FacetState] != "revoked" {
		return false
	}
	text := strings.ToLower(e.Name + "\n" + strings.NewReplacer(`"`, "", `:`, "=", ",", "\n", "{", "", "}", "").Replace(e.Labels) + "\n" + e.Words)
	for _, word := range strings.Fields(strings.ToLower(f.Text)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	says := saysOf(e, rings)
	for name, value := range f.Choices {
		if name != but && !slices.Contains(says[name], value) {
			return false
		}
	}
	return true
}

// Rows of all pages and all counts are what brute force finds.
func TestRollAgreesWithBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries, rings := someEntries(t)
		roll := newRoll(entries, someGroups(), rings, rollStart)
		f := RollFilter{Text: rapid.SampledFrom([]string{"", "h1", "WEB", "6.1 amd", "ams 1"}).Draw(t, "text"), Choices: map[string]string{},
			Revoked: rapid.Bool().Draw(t, "with revoked"), Sort: rapid.SampledFrom([]string{"", "name", "status", "since", "seen"}).Draw(t, "sort")}
		for name, values := range map[string][]string{FacetStatus: {"error", "stale", "zebra"}, FacetState: {"audit", "flapping", "revoked"}, FacetRelease: {"1"}, FacetGroup: {"linux", "web"}, FacetOS: {"SLES 15"},
			FacetLabel + "role": {"web", "db"}, FacetLabel + "none": {"x"}, FacetRing + "releases": {"canary"}} {
			if rapid.IntRange(0, 3).Draw(t, "choose "+name) == 0 {
				f.Choices[name] = rapid.SampledFrom(values).Draw(t, name)
			}
		}
		var want []string
		counts := map[string]map[string]int{}
		for _, e := range entries {
			if selects(f, e, rings, "") {
				want = append(want, string(e.ID))
			}
			for name, values := range saysOf(e, rings) {
				for _, value := range values {
					if selects(f, e, rings, name) {
						if counts[name] == nil {
							counts[name] = map[string]int{}
						}
						counts[name][value]++
					}
				}
			}
		}
		got := allPages(t, roll, f, rapid.IntRange(1, 7).Draw(t, "limit"), len(want))
		inOrder(t, roll, f.Sort, got)
		slices.Sort(want)
		slices.Sort(got)
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("hosts of %+v (-want +got):\n%s", f, diff)
		}
		f.Limit = 1
		for _, facet := range roll.Page(f).Facets {
			found := map[string]int{}
			for _, one := range facet.Values {
				if one.Count > 0 {
					found[one.Value] = one.Count
				}
			}
			if len(found)+len(counts[facet.Name]) > 0 && !maps.Equal(found, counts[facet.Name]) {
				t.Fatalf("facet %s of %+v = %v, want %v", facet.Name, f, found, counts[facet.Name])
			}
			delete(counts, facet.Name)
		}
		if len(counts) > 0 {
			t.Fatalf("facets %v are not there", counts)
		}
	})
}

func allPages(t *rapid.T, roll *Roll, f RollFilter, limit, total int) []string {
	var ids []string
	for f.Limit = limit; ; {
		page := roll.Page(f)
		for _, h := range page.Hosts {
			ids = append(ids, h.ID)
		}
		if page.Total != total {
			t.Fatalf("total = %d on the page after %q, want %d", page.Total, f.After, total)
		}
		if f.After = page.Next; f.After == "" {
			return ids
		}
		if len(ids) > 100 {
			t.Fatal("the pages have no end")
		}
	}
}

func inOrder(t *rapid.T, roll *Roll, by string, ids []string) {
	number := sorts()[cmp.Or(by, "name")]
	rows := map[string]*rollRow{}
	for i := range roll.rows {
		rows[string(roll.rows[i].id)] = &roll.rows[i]
	}
	if !slices.IsSortedFunc(ids, func(a, b string) int {
		return cmp.Or(cmp.Compare(number(rows[a]), number(rows[b])), strings.Compare(rows[a].name, rows[b].name))
	}) {
		t.Fatalf("hosts are not sorted by %q: %v", by, ids)
	}
}

// A host that moves in the list between two pages leaves the others where they are.
func TestRollPageAfterAChange(t *testing.T) {
	var entries []store.Entry
	for i := range 6 {
		entries = append(entries, store.Entry{ID: inventory.HostID(fmt.Sprint("id", i)), Name: fmt.Sprint("h", i), Labels: "{}", Status: policies.Compliant})
	}
	f := RollFilter{Sort: "status", Limit: 3}
	f.After = newRoll(entries, nil, nil, rollStart).Page(f).Next
	entries[4].Status = policies.Failed
	var got []string
	for _, h := range newRoll(entries, nil, nil, rollStart).Page(f).Hosts {
		got = append(got, h.Name)
	}
	if diff := gocmp.Diff([]string{"h3", "h5"}, got); diff != "" {
		t.Errorf("second page (-want +got):\n%s", diff)
	}
}

func BenchmarkRoll(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		var entries []store.Entry
		for i := range n {
			entries = append(entries, store.Entry{ID: inventory.HostID(fmt.Sprint("id", i)), Name: fmt.Sprintf("host%06d.example.org", i), Status: policies.Compliant, Release: 3,
				Labels: fmt.Sprintf(`{"role":"r%d","site":"s%d"}`, i%7, i%3), OS: "Debian GNU/Linux 12 (bookworm)", Words: strings.Repeat("fact ", 60)})
		}
		b.Run(fmt.Sprint("build ", n), func(b *testing.B) {
			for b.Loop() {
				newRoll(entries, nil, nil, rollStart)
			}
		})
		roll := newRoll(entries, nil, nil, rollStart)
		for name, f := range map[string]RollFilter{"all": {}, "text": {Text: "fact 99"}, "label": {Choices: map[string]string{"label:role": "r3"}}, "by status": {Sort: "status"}} {
			f.Limit = 100
			b.Run(fmt.Sprint(name, " ", n), func(b *testing.B) {
				for b.Loop() {
					roll.Page(f)
				}
			})
		}
	}
}
