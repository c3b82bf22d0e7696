package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"plumb/policies"
	"plumb/server/views"
)

// somePlans is what a release says of the policies that the fleet has, and of one that is still on its way. The
// policy time is not in it any more.
func somePlans() views.Plans {
	return views.Plans{Release: 4, Policies: []policies.PolicyInfo{
		{Name: "ssh_baseline", Title: "SSH server after CIS Debian 12", Version: "1.4.0", Mode: policies.Enforce, Severity: "high",
			AppliesTo: "group.servers", Source: policies.Position{File: "ssh/baseline.hcl", Line: 3}},
		{Name: "tmp_mounts", Title: "Mount options of /tmp <and> /var/tmp", Mode: policies.Audit, Severity: "medium",
			Source: policies.Position{File: "mounts.hcl", Line: 1}},
		{Name: "untitled", Source: policies.Position{File: "mounts.hcl", Line: 40}},
	}}
}

func TestPoliciesOfTheNewestRelease(t *testing.T) {
	f := newFleet(t)
	f.show()
	f.plans = somePlans()
	cases := map[string]struct {
		address string
		want    []string
		lacks   string
	}{
		"list": {"/policies", []string{`<a href="/policies/ssh_baseline">SSH server after CIS Debian 12</a><br><span class="muted"><code>ssh_baseline</code> 1.4.0</span>`,
			`<a href="/policies/tmp_mounts">Mount options of /tmp &lt;and&gt; /var/tmp</a>`, `<span class="muted">no host yet</span>`, `href="/policies/untitled">untitled</a>`,
			"not in the newest release"}, "/standing?policy=tmp_mounts"},
		"one with hosts": {"/policies/ssh_baseline", []string{"SSH server after CIS Debian 12</h1>", "version 1.4.0", "for hosts where <code>group.servers</code>",
			"declared at <code>ssh/baseline.hcl:3</code>"}, "No</strong> host yet"},
		"one on its way":      {"/policies/tmp_mounts", []string{"<strong>No</strong> host yet", "audit", "Its resources are listed here once one does"}, "<tbody>"},
		"one without words":   {"/policies/untitled", []string{"untitled</h1>", "mode up to the host"}, "version"},
		"one of an older one": {"/policies/time", []string{"It is not in the newest release any more"}, "declared at <code>mounts"},
		"overview":            {"/", []string{"ssh_baseline"}, "tmp_mounts"},
	}
	pages, session := f.serve(), f.session()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			text := body(t, pages, session, c.address)
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%s lacks %q", c.address, want)
				}
			}
			if strings.Contains(text, c.lacks) {
				t.Errorf("%s has %q", c.address, c.lacks)
			}
		})
	}
}

// TestPoliciesThatNobodyDescribes are shown with how hosts stand with them all the same.
func TestPoliciesThatNobodyDescribes(t *testing.T) {
	f := newFleet(t)
	f.show()
	f.planless = errors.New("the policy compiler died")
	for address, want := range map[string]string{"/policies": "are not known now: the policy compiler died", "/policies/time": "is not known now: the policy compiler died"} {
		if text := body(t, f.serve(), f.session(), address); !strings.Contains(text, want) || !strings.Contains(text, "/standing?policy=time") {
			t.Errorf("%s lacks %q, or how hosts stand", address, want)
		}
	}
}

// TestPoliciesAsJSON is the same for programs.
func TestPoliciesAsJSON(t *testing.T) {
	f := newFleet(t)
	f.showPast(3)
	f.plans = somePlans()
	var got struct {
		Hosts, Unanswered int
		Release           uint64
		Policies          []struct {
			Name      string
			Status    map[string]int
			Declared  *policies.PolicyInfo
			Resources []struct{ Address string }
		}
	}
	must(t, json.Unmarshal([]byte(body(t, f.serve(), f.session(), "/v1/policies")), &got))
	told := map[string]string{}
	for _, p := range got.Policies {
		told[p.Name] = fmt.Sprint(p.Status["compliant"], len(p.Resources), p.Declared != nil)
	}
	want := map[string]string{"patching": "3 1 false", "ssh_baseline": "3 4 true", "time": "3 1 false", "tmp_mounts": "0 0 true", "untitled": "0 0 true"}
	if got.Hosts != 3 || got.Unanswered != 0 || got.Release != 4 || !maps.Equal(told, want) {
		t.Errorf("/v1/policies tells of %d hosts, %d unanswered, release %d: %v, want %v", got.Hosts, got.Unanswered, got.Release, told, want)
	}
}

func body(t *testing.T, pages http.Handler, session *http.Cookie, address string) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, address, nil)
	r.AddCookie(session)
	got := ask(t, pages, r)
	if got.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s", address, got.StatusCode, got.body)
	}
	return got.body
}
