package patch

import (
	"path"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"plumb/inventory"
)

var (
	now  = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	days = func(n int) time.Time { return now.AddDate(0, 0, -n) }
)

func openssl() inventory.Offer {
	return inventory.Offer{Package: "libssl3", Source: "openssl", Installed: "3.0.19-1~deb12u2", Candidate: "3.0.22-1~deb12u2",
		Origin: "Debian", Label: "Debian-Security", Suite: "oldstable-security", Codename: "bookworm-security",
		Component: "main", Site: "mirror.example.org", Security: true, Manager: "apt"}
}

// debian is the baseline of the language's page.
func debian() Baseline {
	return Baseline{Name: "debian_security",
		Sources: []Source{{Origin: "Debian", Label: "Debian-Security", Codename: "bookworm-security"}},
		Rules: []Rule{
			{Classification: []string{Security}, Severity: []string{"critical", "high"}, Level: "critical"},
			{Classification: []string{Security}, After: 2 * 86400, Level: "medium"},
		}}
}

func severe(word string) []Advisory { return []Advisory{{ID: "DSA-1", Severity: word}} }

func TestJudge(t *testing.T) {
	block := Reject{Packages: []string{"openssl"}, Action: Block, Reason: "by hand"}
	allow := Reject{Packages: []string{"libssl*"}, Action: AllowAsDependency, Reason: "only with others"}
	ended := Reject{Packages: []string{"openssl"}, Action: Block, Expires: now}
	cases := map[string]struct {
		change     func(*Baseline, *inventory.Offer)
		seen       time.Time
		advisories []Advisory
		want       State
		rule       string
		until      time.Time
	}{
		"severe at once":          {nil, days(0), severe("high"), Approved, "rule 1", time.Time{}},
		"worst advisory counts":   {nil, days(0), append(severe("low"), severe("critical")...), Approved, "rule 1", time.Time{}},
		"too young":               {nil, days(1), severe("medium"), Waiting, "rule 2", days(-1)},
		"old to the second":       {nil, days(2), nil, Approved, "rule 2", time.Time{}},
		"a second too young":      {nil, days(2).Add(time.Second), nil, Waiting, "rule 2", now.Add(time.Second)},
		"age unknown":             {nil, time.Time{}, severe("critical"), Waiting, "rule 1", time.Time{}},
		"another repository":      {func(_ *Baseline, o *inventory.Offer) { o.Label = "Debian" }, days(9), nil, NotApplicable, "", time.Time{}},
		"no source matches none":  {func(b *Baseline, _ *inventory.Offer) { b.Sources = []Source{{}} }, days(9), nil, NotApplicable, "", time.Time{}},
		"one of several sources":  {func(b *Baseline, _ *inventory.Offer) { b.Sources = []Source{{Origin: "X"}, {Codename: "bookworm*"}} }, days(9), nil, Approved, "rule 2", time.Time{}},
		"all keys of a source":    {func(b *Baseline, _ *inventory.Offer) { b.Sources[0].Site = "*.example.com" }, days(9), nil, NotApplicable, "", time.Time{}},
		"no rule":                 {func(b *Baseline, o *inventory.Offer) { o.Security = false }, days(9), nil, NotApplicable, "", time.Time{}},
		"advisory makes security": {func(b *Baseline, o *inventory.Offer) { o.Security = false }, days(9), severe("low"), Approved, "rule 2", time.Time{}},
		"unknown severity":        {func(b *Baseline, _ *inventory.Offer) { b.Rules[1].Severity = []string{"unknown"} }, days(9), nil, Approved, "rule 2", time.Time{}},
		"kernel": {func(b *Baseline, o *inventory.Offer) {
			o.Source, b.Rules[1].Classification = "linux-signed-amd64", []string{Kernel}
		}, days(9), nil, Approved, "rule 2", time.Time{}},
		"rule for packages":      {func(b *Baseline, _ *inventory.Offer) { b.Rules[1].Packages = []string{"nginx"} }, days(9), nil, NotApplicable, "", time.Time{}},
		"seen in time":           {func(b *Baseline, _ *inventory.Offer) { b.Rules[1].SeenUntil = days(3) }, days(3), nil, Approved, "rule 2", time.Time{}},
		"seen too late":          {func(b *Baseline, _ *inventory.Offer) { b.Rules[1].SeenUntil = days(3) }, days(2), nil, NotApplicable, "", time.Time{}},
		"earliest of two":        {func(b *Baseline, _ *inventory.Offer) { b.Rules[0].Severity, b.Rules[0].After = nil, 86400 }, days(0), nil, Waiting, "rule 1", days(-1)},
		"rejected":               {func(b *Baseline, _ *inventory.Offer) { b.Rejects = []Reject{block} }, days(9), nil, Rejected, "reject 1", time.Time{}},
		"reject beats the list":  {func(b *Baseline, _ *inventory.Offer) { b.Rejects, b.Approved = []Reject{block}, []string{"*"} }, days(9), nil, Rejected, "reject 1", time.Time{}},
		"block beats allow":      {func(b *Baseline, _ *inventory.Offer) { b.Rejects = []Reject{allow, block} }, days(9), nil, Rejected, "reject 2", time.Time{}},
		"as a dependency":        {func(b *Baseline, _ *inventory.Offer) { b.Rejects = []Reject{allow} }, days(9), nil, AllowedAsDependency, "reject 1", time.Time{}},
		"reject is over":         {func(b *Baseline, _ *inventory.Offer) { b.Rejects = []Reject{ended} }, days(9), nil, Approved, "rule 2", time.Time{}},
		"one version rejected":   {func(b *Baseline, _ *inventory.Offer) { b.Rejects = []Reject{{Packages: []string{"openssl=3.0.22-*"}}} }, days(9), nil, Rejected, "reject 1", time.Time{}},
		"other version rejected": {func(b *Baseline, _ *inventory.Offer) { b.Rejects = []Reject{{Packages: []string{"openssl=3.0.21-*"}}} }, days(9), nil, Approved, "rule 2", time.Time{}},
		"listed, from anywhere":  {func(b *Baseline, o *inventory.Offer) { b.Approved, o.Origin = []string{"libssl3"}, "Elsewhere" }, days(0), nil, Approved, "approved list", time.Time{}},
		"foreign architecture":   {func(b *Baseline, o *inventory.Offer) { b.Approved, o.Package = []string{"libssl3"}, "libssl3:i386" }, days(0), nil, Approved, "approved list", time.Time{}},
		"phased":                 {func(_ *Baseline, o *inventory.Offer) { o.Phased = 40 }, days(9), nil, Waiting, "rule 2", time.Time{}},
		"phased and young":       {func(_ *Baseline, o *inventory.Offer) { o.Phased = 40 }, days(0), nil, Waiting, "rule 2", time.Time{}},
		"phased for all":         {func(_ *Baseline, o *inventory.Offer) { o.Phased = 100 }, days(9), nil, Approved, "rule 2", time.Time{}},
		"phased and listed":      {func(b *Baseline, o *inventory.Offer) { b.Approved, o.Phased = []string{"libssl3"}, 40 }, days(9), nil, Approved, "approved list", time.Time{}},
		"phased elsewhere":       {func(_ *Baseline, o *inventory.Offer) { o.Phased, o.Origin = 40, "Elsewhere" }, days(9), nil, NotApplicable, "", time.Time{}},
		"held":                   {func(_ *Baseline, o *inventory.Offer) { o.Held = true }, days(9), nil, Held, "rule 2", time.Time{}},
		"held and young":         {func(_ *Baseline, o *inventory.Offer) { o.Held = true }, days(0), nil, Held, "rule 2", time.Time{}},
		"held and rejected":      {func(b *Baseline, o *inventory.Offer) { o.Held, b.Rejects = true, []Reject{block} }, days(9), nil, Rejected, "reject 1", time.Time{}},
		"empty baseline":         {func(b *Baseline, _ *inventory.Offer) { *b = Baseline{} }, days(9), severe("critical"), NotApplicable, "", time.Time{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b, o := debian(), openssl()
			if c.change != nil {
				c.change(&b, &o)
			}
			got := Judge(b, o, c.seen, c.advisories, now)
			if got.State != c.want || got.Rule != c.rule || !got.Until.Equal(c.until) || (got.Reason == "" && c.want != Rejected) {
				t.Errorf("Judge = %+v, want %s by %q until %s", got, c.want, c.rule, c.until)
			}
		})
	}
}

// some draws a baseline, an offer and what goes with them from few words, so that they often meet.
func some(t *rapid.T) (Baseline, inventory.Offer, time.Time, []Advisory) {
	word := rapid.SampledFrom([]string{"", "a", "ab", "a*", "*"})
	words := rapid.SliceOfN(word, 0, 2)
	when := rapid.Map(rapid.IntRange(-5, 5), func(n int) time.Time { return now.Add(time.Duration(n) * time.Hour) })
	maybe := rapid.OneOf(rapid.Just(time.Time{}), when)
	b := Baseline{Approved: words.Draw(t, "approved")}
	for range rapid.IntRange(0, 2).Draw(t, "sources") {
		b.Sources = append(b.Sources, Source{Origin: word.Draw(t, "origin"), Label: word.Draw(t, "label")})
	}
	for range rapid.IntRange(0, 3).Draw(t, "rules") {
		b.Rules = append(b.Rules, Rule{Packages: words.Draw(t, "packages"), After: rapid.IntRange(0, 9*3600).Draw(t, "after"), SeenUntil: maybe.Draw(t, "until"),
			Severity: rapid.SliceOfN(rapid.SampledFrom(severities), 0, 2).Draw(t, "severity"), Classification: rapid.SliceOfN(rapid.SampledFrom([]string{Security, Other}), 0, 1).Draw(t, "class")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "rejects") {
		b.Rejects = append(b.Rejects, Reject{Packages: words.Draw(t, "rejected"), Expires: maybe.Draw(t, "expires"), Action: rapid.SampledFrom([]string{Block, AllowAsDependency}).Draw(t, "action")})
	}
	plain := rapid.SampledFrom([]string{"a", "ab", "b"})
	o := inventory.Offer{Package: plain.Draw(t, "package"), Source: plain.Draw(t, "source"), Origin: plain.Draw(t, "o"), Label: plain.Draw(t, "l"), Security: rapid.Bool().Draw(t, "security")}
	var list []Advisory
	for _, s := range rapid.SliceOfN(rapid.SampledFrom(severities), 0, 2).Draw(t, "advisories") {
		list = append(list, Advisory{Severity: s})
	}
	return b, o, maybe.Draw(t, "seen"), list
}

func TestApprovalIsNeverTakenBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, o, seen, list := some(t)
		later := now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "hours")) * time.Hour)
		first, second := Judge(b, o, seen, list, now), Judge(b, o, seen, list, later)
		if first.State == Approved && second.State != Approved {
			t.Fatalf("approved, and later %+v", second)
		}
		if first.State == Waiting && !first.Until.IsZero() && !later.Before(first.Until) && second.State != Approved {
			t.Fatalf("it waited until %s, and then %+v", first.Until, second)
		}
		if first.State == Waiting && !first.Until.IsZero() && !first.Until.After(now) {
			t.Fatalf("it waits for what is past: %+v", first)
		}
	})
}

func TestRejectAlwaysWins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, o, seen, list := some(t)
		b.Rejects = append(b.Rejects, Reject{Packages: []string{o.Package}, Action: Block})
		if got := Judge(b, o, seen, list, now); got.State != Rejected {
			t.Fatalf("Judge = %+v, want it rejected", got)
		}
	})
}

func TestMoreRulesNeverApproveLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, o, seen, list := some(t)
		before := Judge(b, o, seen, list, now).State
		b.Rules = append([]Rule{{After: rapid.IntRange(0, 9*3600).Draw(t, "more")}}, b.Rules...)
		if after := Judge(b, o, seen, list, now).State; before == Approved && after != Approved {
			t.Fatalf("with one more rule %s became %s", before, after)
		}
	})
}

func TestGlobIsThatOfPaths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOfN(rapid.RuneFrom([]rune("ab*?")), 0, 8, -1).Draw(t, "pattern")
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab")), 0, 10, -1).Draw(t, "text")
		want, err := path.Match(pattern, text)
		if got := glob(pattern, text); err != nil || got != want {
			t.Fatalf("glob(%q, %q) = %t, want %t", pattern, text, got, want)
		}
	})
}

func TestGlobIsNeverSlow(t *testing.T) {
	started := time.Now()
	if glob(strings.Repeat("*a", 200)+"b", strings.Repeat("a", 20_000)) || time.Since(started) > 5*time.Second {
		t.Errorf("it took %s, or matched", time.Since(started))
	}
}

func TestDue(t *testing.T) {
	sla := SLA{Anchor: FirstSeen, Within: map[string]int{"critical": 86400, "low": 10 * 86400}, Exploited: 3600}
	published := sla
	published.Anchor = Published
	cases := map[string]struct {
		sla  SLA
		a    Advisory
		want time.Time
	}{
		"by severity":                {sla, Advisory{Severity: "critical"}, now.Add(24 * time.Hour)},
		"never":                      {sla, Advisory{Severity: "medium"}, time.Time{}},
		"exploited":                  {sla, Advisory{Severity: "low", Exploited: true}, now.Add(time.Hour)},
		"exploited without severity": {sla, Advisory{Severity: "unknown", Exploited: true}, now.Add(time.Hour)},
		"published":                  {published, Advisory{Severity: "critical", Published: days(3)}, days(2)},
		"not known when published":   {published, Advisory{Severity: "critical"}, now.Add(24 * time.Hour)},
		"first seen":                 {sla, Advisory{Severity: "critical", Published: days(3)}, now.Add(24 * time.Hour)},
	}
	for name, c := range cases {
		if got, ok := Due(c.a, c.sla, now); !got.Equal(c.want) || ok == c.want.IsZero() {
			t.Errorf("%s: Due = %s, %t, want %s", name, got, ok, c.want)
		}
	}
}
