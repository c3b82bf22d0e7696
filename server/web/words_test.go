package web

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/policies"
	"plumb/server/views"
)

func TestAgo(t *testing.T) {
	cases := map[string]struct {
		when any
		want moment
	}{
		"never":                 {time.Time{}, moment{Ago: "never"}},
		"no time":               {(*time.Time)(nil), moment{Ago: "never"}},
		"now":                   {start, moment{"2026-11-21T12:00:00Z", "2026-11-21 12:00:00 UTC", "now"}},
		"in future":             {start.Add(time.Hour), moment{"2026-11-21T13:00:00Z", "2026-11-21 13:00:00 UTC", "now"}},
		"seconds":               {start.Add(-100 * time.Second), moment{"2026-11-21T11:58:20Z", "2026-11-21 11:58:20 UTC", "100 s ago"}},
		"minutes":               {start.Add(-119 * time.Minute), moment{"2026-11-21T10:01:00Z", "2026-11-21 10:01:00 UTC", "119 min ago"}},
		"hours":                 {start.Add(-47 * time.Hour), moment{"2026-11-19T13:00:00Z", "2026-11-19 13:00:00 UTC", "47 h ago"}},
		"days, in another zone": {start.Add(-72 * time.Hour).In(time.FixedZone("", 3600)), moment{"2026-11-18T12:00:00Z", "2026-11-18 12:00:00 UTC", "3 days ago"}},
	}
	for name, c := range cases {
		if diff := cmp.Diff(c.want, ago(c.when, start)); diff != "" {
			t.Errorf("%s: ago(%v) differs (-want +got):\n%s", name, c.when, diff)
		}
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 9999: "9999", 10_000: "10\u202f000", 1_234_567: "1\u202f234\u202f567"} {
		if got := views.Number(n); got != want {
			t.Errorf("views.Number(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestShare(t *testing.T) {
	cases := map[string]struct {
		part, whole int
		want        string
	}{
		"nothing at all": {0, 0, "0 %"}, "none": {0, 9, "0 %"}, "all": {9, 9, "100 %"}, "half": {1, 2, "50 %"}, "a third": {1, 3, "33.3 %"},
		"one of many": {1, 10_000, "<0.1 %"}, "all but one of many": {9_999, 10_000, ">99.9 %"},
	}
	for name, c := range cases {
		if got := share(c.part, c.whole); got != c.want {
			t.Errorf("%s: share(%d, %d) = %q, want %q", name, c.part, c.whole, got, c.want)
		}
	}
}

func TestBarFits(t *testing.T) {
	all := map[policies.Status]int{}
	for i, s := range policies.Statuses {
		all[s] = 1 + i*i*i*i*i
	}
	for name, counts := range map[string]map[policies.Status]int{
		"one status": {policies.Compliant: 10_000}, "one host among many": {policies.Compliant: 9_999, policies.Failed: 1}, "every status": all,
	} {
		segments, end := bar(counts), 0
		for _, s := range segments {
			if s.X < end || s.Width < barLeast {
				t.Errorf("%s: %s is drawn from %d on, %d wide; the one before ends at %d", name, s.Status, s.X, s.Width, end)
			}
			end = s.X + s.Width
		}
		if len(segments) != len(counts) || end > barWidth || end < barWidth-len(segments) {
			t.Errorf("%s: %d segments end at %d of %d", name, len(segments), end, barWidth)
		}
	}
	if got := bar(nil); got != nil {
		t.Errorf("bar of no hosts = %v, want none", got)
	}
}

func TestVerdict(t *testing.T) {
	fine := func(n int) map[policies.Status]int { return map[policies.Status]int{policies.Compliant: n} }
	cases := map[string]struct {
		fleet views.Fleet
		want  string
	}{
		"no hosts":   {views.Fleet{}, "There are no hosts yet."},
		"one host":   {views.Fleet{Hosts: 1, Status: fine(1)}, "The one host is as policy wants it."},
		"all fine":   {views.Fleet{Hosts: 12_345, Status: fine(12_345)}, "All 12\u202f345 hosts are as policy wants them."},
		"one stale":  {views.Fleet{Hosts: 3, Status: map[policies.Status]int{policies.Compliant: 2, policies.Stale: 1}}, "1 of 3 hosts needs a look."},
		"one, alone": {views.Fleet{Hosts: 1, Status: map[policies.Status]int{policies.Failed: 1}}, "1 of 1 host needs a look."},
		"alarm":      {views.Fleet{Hosts: 2, Status: fine(2), Mismatch: 1, Problems: 1}, "1 host compiled another catalog than this server."},
		"problem":    {views.Fleet{Hosts: 2, Status: fine(2), Problems: 2}, "2 hosts refused or could not use the newest release."},
		"halt":       {views.Fleet{Hosts: 2, Status: fine(2), Rollout: &views.RolloutBrief{Release: 7, Phase: "halted"}}, "Release 7 is halted."},
		"repository": {views.Fleet{Hosts: 2, Status: fine(2), Policy: views.Policy{Problem: "x"}}, "The hosts are as policy wants them, but the policy repository has a problem."},
	}
	for name, c := range cases {
		if got := verdict(c.fleet, nil); got != c.want {
			t.Errorf("%s: verdict = %q, want %q", name, got, c.want)
		}
		if all := strings.HasPrefix(c.want, "All") || strings.HasPrefix(c.want, "The one"); all != (c.fleet.Fine() && c.fleet.Hosts > 0) {
			t.Errorf("%s: the verdict %q is not what Fine says: %v", name, c.want, c.fleet.Fine())
		}
	}
}

func TestFactGroups(t *testing.T) {
	raw := json.RawMessage(`{"arch":"amd64","cpus":4,"os":{"id":"debian","eol":null},"list":["a",1,{"k":true}],
		"packages":{"a":"1","b":"2","c":"3","d":"4","e":"5","f":"6","g":"7","h":"8"}}`)
	got := factGroups(raw)
	want := []factRow{{"arch", "amd64"}, {"cpus", "4"}, {"list", `a, 1, {"k":true}`}, {"os.eol", "null"}, {"os.id", "debian"}}
	if len(got) != 2 || got[1].Name != "packages" || len(got[1].Rows) != 8 {
		t.Fatalf("factGroups = %+v, want single facts and packages", got)
	}
	if diff := cmp.Diff(want, got[0].Rows); diff != "" {
		t.Errorf("single facts differ (-want +got):\n%s", diff)
	}
}

func FuzzFactGroups(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1e400}`, `{"a":[[[]]],"b":{"":{}}}`, `[1]`, `null`, "{\"\x00\":\"\xff\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, g := range factGroups(raw) {
			if len(g.Rows) == 0 {
				t.Fatal("an empty group")
			}
		}
	})
}

func TestDiffLines(t *testing.T) {
	got := diffLines("--- a\n+++ b\n@@ -1 +1 @@\n same\n-old\n+new\r\n\\ No newline at end of file")
	want := []diffLine{{"hunk", "--- a"}, {"hunk", "+++ b"}, {"hunk", "@@ -1 +1 @@"}, {"", " same"}, {"del", "-old"}, {"add", "+new"}, {"", "\\ No newline at end of file"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("diffLines differs (-want +got):\n%s", diff)
	}
}

func FuzzDiffLines(f *testing.F) {
	for _, seed := range []string{"", "+\n-\n", "--- a\n+++ b", "\r\n\r\n", "@@"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, diff string) {
		var kept strings.Builder
		for _, line := range diffLines(diff) {
			kept.WriteString(line.Text)
		}
		plain := strings.NewReplacer("\n", "", "\r", "")
		if plain.Replace(kept.String()) != plain.Replace(diff) {
			t.Fatalf("diffLines(%q) lost text", diff)
		}
	})
}
