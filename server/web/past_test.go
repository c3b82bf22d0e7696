package web

import (
	"net/http"
	"strings"
	"testing"
)

func saidOfThePast() map[string]said {
	return map[string]said{
		"overview":            {"/", 200, []string{"All 12 hosts are as policy wants them.", `aria-label="Share of hosts by status, the last 7 days"`, `href="/?period=90d#trend"`, `href="/policies/ssh_baseline"`, "cis_debian12", `href="/alerts">2 critical or high`, "MTTD, at most"}},
		"overview of a day":   {"/?period=24h", 200, []string{"the last 24 hours"}},
		"overview of a while": {"/?period=3y", 400, []string{"is no period"}},
		"policies":            {"/policies", 200, []string{`href="/policies/time">time</a>`, `href="/standing?policy=time">12</a>`, "audit, enforce"}},
		"policy": {"/policies/ssh_baseline", 200, []string{"<strong>100 %</strong>", `href="/standing?policy=ssh_baseline&amp;status=compliant">12 passing</a>`, "ssh/baseline.hcl:19",
			`href="/standing?control=cis_debian12%3A5.1.16"`, "Drop-in of the SSH server"}},
		"no policy":              {"/policies/zebra", 404, []string{"No host has a policy"}},
		"controls":               {"/controls", 200, []string{"100 % of 2 pass", `href="/standing?control=cis_debian12%3A5.1.2">5.1.2</a>`, "sshd_directive"}},
		"standing":               {"/standing?policy=time", 200, []string{"app01.example.org", "compliant"}},
		"standing of a control":  {"/standing?control=cis_debian12:5.1.2&status=compliant", 200, []string{"app12.example.org", "Only hosts that are <strong>compliant</strong>"}},
		"standing of nobody":     {"/standing?policy=zebra", 200, []string{"No hosts, by now."}},
		"standing without words": {"/standing", 200, []string{"Hosts that have not answered yet", "No hosts, by now."}},
		"alerts":                 {"/alerts", 200, []string{"3 things need somebody.", `href="/hosts/cache1.example.org"`, "Ended lately", "release 2"}},
		"alerts of a kind":       {"/alerts?kind=host_silent", 200, []string{"One thing needs somebody."}},
		"figures":                {"/kpis", 200, []string{"Change success rate", "Changes that ended", "Drift that was detected", `href="/events?from=2026-10-22T12%3A00%3A00Z&amp;to=2026-11-21T12%3A00%3A00Z&amp;what=drift"`, "each host that could be reached converged"}},
		"figures of a time":      {"/kpis?from=2026-10-01&to=2026-10-15&policy=time", 200, []string{"2026-10-01 00:00 UTC to 2026-10-15 00:00 UTC", "plumb kpi --from &#34;2026-10-01&#34; --to &#34;2026-10-15&#34;"}},
		"figures of no time":     {"/kpis?from=zebra", 400, []string{"is no time"}},
		"figures of no host":     {"/kpis?host=zebra", 404, []string{"There is no host"}},
		"events":                 {"/events?what=drift&from=2026-11-01", 200, []string{"2026-11-01 00:00 UTC to", "sshd_directive"}},
		"events of a policy":     {"/events?what=drift&from=2026-09-01&policy=ssh_baseline", 200, []string{`href="/policies/ssh_baseline">ssh_baseline</a>`, "sshd_directive"}},
		"events of nothing":      {"/events?what=zebra", 404, []string{"There are no events of"}},
		"events after nothing":   {"/events?what=drift&after=zebra", 400, []string{"is no event"}},
		"change": {"/changes/4", 200, []string{"<strong>12</strong> reached", "What it says otherwise", "ssh/baseline.hcl", "hosts/rack3.hcl", "Auditors and operators see how they differ.", "12 hosts in the order in which it came to them",
			"address=policy.ssh_baseline.sshd_directive.limits"}},
		"change of a resource": {"/changes/4?kind=repaired&address=policy.ssh_baseline.sshd_directive.limits%5B%22MaxAuthTries%22%5D", 200, []string{"Only what is <strong>repaired</strong> of <code>"}},
	}
}

// TestPagesOfThePast looks at what only a fleet with a past can show.
func TestPagesOfThePast(t *testing.T) {
	f := newFleet(t)
	f.showPast(12)
	for name, c := range saidOfThePast() {
		t.Run(name, func(t *testing.T) {
			got := f.visit(c.address)
			if got.StatusCode != c.code {
				t.Fatalf("GET %s = %d, want %d\n%s", c.address, got.StatusCode, c.code, got.body)
			}
			check(t, got.body)
			for _, want := range c.want {
				if !strings.Contains(got.body, want) {
					t.Errorf("GET %s does not say %q\n%s", c.address, want, got.body)
				}
			}
		})
	}
}

// TestWhoSeesHowFilesDiffer is that policy itself is not for everybody who may look at hosts.
func TestWhoSeesHowFilesDiffer(t *testing.T) {
	f := newFleet(t)
	f.showPast(1)
	for role, sees := range map[string]bool{"viewer": false, "auditor": true, "operator": true, "admin": true} {
		f.role = role
		body := f.visit("/changes/4").body
		if got := strings.Contains(body, "    value = 4"); got != sees {
			t.Errorf("a %s sees how files differ: %v, want %v", role, got, sees)
		}
		if told := strings.Contains(f.visit("/alerts").body, "Who was told"); told != sees {
			t.Errorf("a %s sees who was told: %v, want %v", role, told, sees)
		}
	}
}

func TestPagesOfANewServer(t *testing.T) {
	f := newFleet(t)
	for address, want := range map[string]string{
		"/": "plumb-agent enroll TOKEN", "/policies": "No host has a policy yet", "/controls": "No resource names a control", "/kpis": "no data", "/alerts": "Nothing needs anybody.",
		"/standing": "No hosts, by now.", "/events?what=silent": "Nothing.",
	} {
		got := f.visit(address)
		if got.StatusCode != http.StatusOK || !strings.Contains(got.body, want) {
			t.Errorf("GET %s = %d, want %q\n%s", address, got.StatusCode, want, got.body)
		}
		check(t, got.body)
	}
}
