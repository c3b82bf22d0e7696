package run

import (
	"os"
	"strings"
	"testing"
	"time"

	"plumb/policies"
)

// excepted is a bench with a waiver that ends at noon, and another that begins then and ends an hour later.
func excepted(t *testing.T) *bench {
	b := newBench(t)
	noon := saturday
	b.times.Waivers = map[string]policies.Waiver{
		"early": {Name: "early", Expires: noon, Effect: "audit", Reason: "The appliance", Ticket: "CHG-1", ApprovedBy: []string{"ciso"}},
		"late":  {Name: "late", From: noon, Expires: noon.Add(time.Hour), Effect: "audit", Reason: "More"},
		"skip":  {Name: "skip", Expires: noon, Effect: "skip", Reason: "Slow"},
	}
	return b
}

func (b *bench) agreed(t time.Time) { b.edit = func(r *Runner) { r.Agreed = t } }

func waivedBy(names ...string) func(*policies.Resource, *box) {
	return func(r *policies.Resource, _ *box) { r.Waivers = names }
}

func TestAWaiverLowersEnforceToAudit(t *testing.T) {
	for name, c := range map[string]struct {
		clock   time.Time
		waivers []string
		edit    func(*policies.Resource, *box)
		want    string
		says    string
	}{
		"while it holds":     {saturday.Add(-time.Second), []string{"early"}, nil, "waived/initial audit", "waived by early until 2026-11-21 12:00 UTC: The appliance (CHG-1), approved by ciso"},
		"when it ends":       {saturday, []string{"early"}, nil, "repaired/initial enforce", ""},
		"before it begins":   {saturday.Add(-time.Second), []string{"late"}, nil, "repaired/initial enforce", ""},
		"when it begins":     {saturday, []string{"late"}, nil, "waived/initial audit", "by late until 2026-11-21 13:00 UTC"},
		"the longest of two": {saturday.Add(-time.Second), []string{"skip", "early"}, nil, "waived audit", "not looked at"},
		"no such waiver":     {saturday, []string{"gone"}, nil, "repaired/initial enforce", ""},
		"audit mode":         {saturday, []string{"late"}, func(r *policies.Resource, _ *box) { r.Mode = policies.Audit }, "waived/initial audit", "by late"},
		"a check":            {saturday, []string{"late"}, func(r *policies.Resource, _ *box) { r.Check = true }, "waived/initial audit", "by late"},
		"an error is none":   {saturday, []string{"late"}, func(_ *policies.Resource, b *box) { b.Unknown = true }, "unknown audit", ""},
		"not applicable":     {saturday, []string{"late"}, func(r *policies.Resource, _ *box) { r.NotApplicable = true }, "not_applicable audit", ""},
		"not looked at":      {saturday.Add(-time.Second), []string{"skip"}, func(_ *policies.Resource, b *box) { b.Panic = true }, "waived audit", "not looked at; waived by skip"},
	} {
		t.Run(name, func(t *testing.T) {
			b := excepted(t)
			b.agreed(c.clock)
			got := b.run(b.box("a", func(r *policies.Resource, one *box) {
				waivedBy(c.waivers...)(r, one)
				if c.edit != nil {
					c.edit(r, one)
				}
			}))
			if mode := brief(got) + " " + string(got[0].Mode); mode != c.want || !strings.Contains(got[0].Message, c.says) {
				t.Errorf("got %s, %q, want %s, %q", mode, got[0].Message, c.want, c.says)
			}
		})
	}
}

// TestTheEndOfAWaiver is neither drift nor a change of policy.
func TestTheEndOfAWaiver(t *testing.T) {
	before := saturday.Add(-time.Hour)
	for name, c := range map[string]struct {
		waivers []string // of the second half
		audit   bool
		during  string // what happens while it holds
		want    string
	}{
		"it expires":                 {[]string{"early"}, false, "", "waived/initial, repaired/reverted_waiver, compliant"},
		"a commit takes it back":     {nil, false, "", "waived/initial, repaired/reverted_waiver, compliant"},
		"in audit mode":              {[]string{"early"}, true, "", "waived/initial, noncompliant/reverted_waiver, noncompliant/reverted_waiver"},
		"another one takes over":     {[]string{"early", "late"}, false, "", "waived/initial, waived/initial, waived/initial"},
		"it was not looked at":       {[]string{"skip"}, false, "skip", "waived, repaired/reverted_waiver, compliant"},
		"somebody mended it himself": {[]string{"early"}, false, "mend", "waived/initial, compliant, compliant"},
	} {
		t.Run(name, func(t *testing.T) {
			b := excepted(t)
			mode := func(r *policies.Resource) {
				if c.audit {
					r.Mode = policies.Audit
				}
			}
			first := waivedBy("early")
			if c.during == "skip" {
				first = waivedBy("skip")
			}
			b.agreed(before)
			got := []string{brief(b.run(b.box("a", func(r *policies.Resource, one *box) { first(r, one); mode(r) })))}
			if c.during == "mend" {
				if err := os.WriteFile(b.path("a"), []byte("good a"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, at := range []time.Time{saturday, saturday.Add(time.Minute)} {
				b.agreed(at)
				got = append(got, brief(b.run(b.box("a", func(r *policies.Resource, one *box) { waivedBy(c.waivers...)(r, one); mode(r) }))))
			}
			if all := strings.Join(got, ", "); all != c.want {
				t.Errorf("got %s, want %s", all, c.want)
			}
		})
	}
}

// TestANeedlessWaiverIsNoted, so that somebody takes it out, and drift under it is waived, too.
func TestANeedlessWaiverIsNoted(t *testing.T) {
	b := excepted(t)
	want := func(waivers ...string) policies.Resource { return b.box("a", waivedBy(waivers...)) }
	b.run(want())
	b.agreed(saturday.Add(-time.Hour))
	got := b.run(want("early"))
	if brief(got) != "compliant" || !strings.Contains(got[0].Message, "it passes, so it needs no waiver; waived by early") {
		t.Errorf("got %s, %q", brief(got), got[0].Message)
	}
	if err := os.WriteFile(b.path("a"), []byte("drift"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := brief(b.run(want("early"))); got != "waived/corrective" {
		t.Errorf("drift under a waiver is %s", got)
	}
	b.agreed(saturday)
	if got := brief(b.run(want("early"))); got != "repaired/reverted_waiver" {
		t.Errorf("at its end it is %s", got)
	}
}

func TestAWaiverWakesTheAgentAtItsEnd(t *testing.T) {
	b := excepted(t)
	var r *Runner
	b.edit = func(one *Runner) { r, one.Agreed = one, saturday.Add(-time.Hour) }
	b.run(b.box("a", waivedBy("early")))
	if !r.Opens.Equal(saturday) {
		t.Errorf("looks again at %s, want %s", r.Opens, saturday)
	}
}
