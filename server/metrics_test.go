package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/patch"
	"plumb/server/api"
	"plumb/server/rollout"
	"plumb/server/store"
)

// busy puts into a server's store what each metric needs to have a value.
func (r *running) busy(t *testing.T) {
	t.Helper()
	_, id, _, _ := r.enroll(t, "named-web1")
	r.meanwhile(t, func(s *store.Store) { keepBusy(t, s, id) })
}

// keepBusy stores what a host, a patch_sla and a halted cycle leave behind.
func keepBusy(t *testing.T, s *store.Store, id inventory.HostID) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	put := func(kind string, v any) string {
		raw, err := json.Marshal(v)
		must(err)
		must(s.PutObject(ctx, store.Ref{Kind: kind, Digest: inventory.Digest(raw)}, raw, now))
		return inventory.Digest(raw)
	}
	h := store.Host{Release: 1, Facts: "f", Catalog: "c", Result: "r", Since: now, Ran: now, Found: policies.Compliant, Problem: "bad",
		Offers: put(store.KindOffers, inventory.Offers{Manager: "apt", List: []inventory.Offer{}})}
	must(s.Accept(ctx, id, "", 0, []store.Step{{Report: policies.Report{Epoch: "e", Seq: 1}, Host: h, NewInterval: true}}, now))
	stored, err := s.Host(ctx, id)
	must(err)
	terms, err := json.Marshal(patch.Terms{SLAs: []patch.SLA{{Name: "fast"}}})
	must(err)
	must(s.SetExpected(ctx, []store.Expectation{{Host: stored, Terms: terms}}, now))
	plan := &policies.Rollout{Name: "os", Carries: "patch_baseline.os", Rings: []policies.Ring{{Name: "canary", Group: "all"}}}
	state, err := json.Marshal(rollout.State{Rollout: "os", Release: 3, Made: now, Plan: plan,
		Rings: []rollout.Ring{{Name: "canary", Phase: rollout.Halted, Since: now}}, History: []rollout.Entry{}})
	must(err)
	must(s.SaveCycle(ctx, store.Cycle{Rollout: "os", Number: 3, Set: "s", Made: now, State: string(state), Updated: now}))
}

func (r *running) scrape(t *testing.T) string {
	t.Helper()
	code, body, err := r.socket().try("GET", "/metrics", nil)
	if err != nil || code != http.StatusOK {
		t.Fatalf("GET /metrics = %d, %v: %s", code, err, body)
	}
	return string(body)
}

// metricsOf are the names of all series that a server shows.
func metricsOf(t *testing.T, text string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, line := range strings.Split(text, "\n") {
		if name, _, ok := strings.Cut(line, " "); ok && !strings.HasPrefix(line, "#") {
			name, _, _ = strings.Cut(name, "{")
			names[name] = true
		}
	}
	return names
}

func await(t *testing.T, what string, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ready(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s never came", what)
		}
	}
}

var metricName = regexp.MustCompile(`\bplumb_[a-z_]+`)

// TestRulesAndDashboardUseWhatThereIs compares them with the metrics of a running server.
func TestRulesAndDashboardUseWhatThereIs(t *testing.T) {
	r := start(t)
	r.busy(t)
	r.ask(t, "POST", "/v1/freeze", api.ActRequest{Reason: "Year end"}, nil)
	for _, sample := range []string{`plumb_rollout_phase{phase="done",rollout="os"} 0`, `plumb_patch_cycle{rollout="os"} 3`, "plumb_frozen 1", "plumb_hosts_problem 1",
		`plumb_alerts_open{kind="release_refused"} 1`, `plumb_alerts_open{kind="freeze_set"} 1`, `plumb_alerts_open{kind="host_silent"} 0`} {
		await(t, sample, func() bool { return strings.Contains(r.scrape(t), "\n"+sample) })
	}
	text := r.scrape(t)
	names := metricsOf(t, text)
	if len(names) < 15 {
		t.Fatalf("only these metrics: %v", names)
	}
	for _, file := range []string{"plumb.rules.yml", "plumb-dashboard.json"} {
		used := 0
		for _, expr := range expressions(t, filepath.Join("..", "docs", "monitoring", file)) {
			for _, name := range metricName.FindAllString(expr, -1) {
				if used++; !names[name] {
					t.Errorf("%s uses %s, which the server does not have", file, name)
				}
			}
		}
		if used < 10 {
			t.Errorf("%s uses only %d metrics", file, used)
		}
	}
	if strings.Contains(text, "named-web1") {
		t.Error("a metric names a host")
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, family := range families {
		if family.GetHelp() == "" {
			t.Errorf("%s has no HELP", name)
		}
	}
}

// expressions are the queries of a rule file or a dashboard.
func expressions(t *testing.T, path string) []string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, ".yml") {
		var list []string
		for _, m := range regexp.MustCompile(`(?m)^\s+expr: (.*)$`).FindAllSubmatch(raw, -1) {
			list = append(list, string(m[1]))
		}
		return list
	}
	var board struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
		Templating struct{ List []struct{ Query string } }
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, p := range board.Panels {
		for _, one := range p.Targets {
			list = append(list, one.Expr)
		}
	}
	for _, v := range board.Templating.List {
		list = append(list, v.Query)
	}
	return list
}

// TestPromtool has Prometheus' own tool read the rules and the metrics.
func TestPromtool(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("needs promtool: it is in Debian's package prometheus")
	}
	if out, err := exec.Command(tool, "check", "rules", "../docs/monitoring/plumb.rules.yml").CombinedOutput(); err != nil {
		t.Errorf("check rules: %v\n%s", err, out)
	}
	r := start(t)
	r.busy(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool, "check", "metrics")
	cmd.Stdin = strings.NewReader(r.scrape(t))
	if out, err := cmd.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("check metrics: %v\n%s", err, out)
	}
	for _, expr := range expressions(t, "../docs/monitoring/plumb-dashboard.json") {
		if strings.HasPrefix(expr, "label_values(") || expr == "prometheus" {
			continue
		}
		rule := "groups: [{name: x, rules: [{record: x, expr: '" + strings.ReplaceAll(expr, "'", "''") + "'}]}]"
		path := filepath.Join(t.TempDir(), "rule.yml")
		if err := os.WriteFile(path, []byte(rule), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(tool, "check", "rules", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", expr, err, out)
		}
	}
}
