package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"plumb/server/api"
	"plumb/server/store"
	"plumb/testenv/ports"
)

// prom is a Prometheus that scrapes a server with our rules.
type prom struct {
	*testing.T
	base string
}

// startPrometheus starts Debian's Prometheus on loopback. It signs in with a viewer's token, and trusts
// the CA that the server hands out, as docs/alerts.md says.
func startPrometheus(t *testing.T, r *running) *prom {
	t.Helper()
	tool, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("needs prometheus: it is Debian's package prometheus")
	}
	var token api.TokenMade
	r.ask(t, "POST", "/v1/tokens", api.TokenRequest{Role: "viewer", Name: "prometheus"}, &token)
	dir := t.TempDir()
	free, err := ports.Free(1)
	if err != nil {
		t.Fatal(err)
	}
	p := &prom{T: t, base: "http://" + free[0]}
	p.file(dir, "token", token.Secret)
	p.file(dir, "ca.pem", string(r.keys.CAPEM()))
	rules, err := filepath.Abs("../docs/monitoring/plumb.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	p.file(dir, "prometheus.yml", fmt.Sprintf(`global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: plumb
    scheme: https
    authorization: {credentials_file: %q}
    tls_config: {ca_file: %q}
    static_configs: [{targets: [%q]}]
`, rules, filepath.Join(dir, "token"), filepath.Join(dir, "ca.pem"), r.at.People))
	cmd := exec.Command(tool, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+strings.TrimPrefix(p.base, "http://"), "--log.level=warn")
	cmd.Stderr = t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return p
}

func (p *prom) file(dir, name, text string) {
	p.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		p.Fatal(err)
	}
}

// ask asks Prometheus' API; it returns false until that answers.
func (p *prom) ask(path string, into any) bool {
	p.Helper()
	answer, err := http.Get(p.base + path)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return false
	}
	var envelope struct{ Data json.RawMessage }
	if err := json.Unmarshal(raw, &envelope); err != nil {
		p.Fatal(err)
	}
	if err := json.Unmarshal(envelope.Data, into); err != nil {
		p.Fatalf("%s: %v: %.300s", path, err, raw)
	}
	return true
}

// query counts the series that an expression has now, -1 when it has a mistake.
func (p *prom) query(expr string) int {
	p.Helper()
	var data struct{ Result []json.RawMessage }
	if !p.ask("/api/v1/query?query="+url.QueryEscape(expr), &data) {
		return -1
	}
	return len(data.Result)
}

// scraped tells how the scrapes of the server go: up, down with the reason, or nothing yet.
func (p *prom) scraped() string {
	p.Helper()
	var data struct {
		ActiveTargets []struct{ Health, LastError string }
	}
	if !p.ask("/api/v1/targets", &data) || len(data.ActiveTargets) != 1 {
		return ""
	}
	return strings.TrimSpace(data.ActiveTargets[0].Health + " " + data.ActiveTargets[0].LastError)
}

// rules returns the state of each rule by its name: inactive, pending or firing; and which are not healthy.
func (p *prom) rules() (states map[string]string, ill []string) {
	p.Helper()
	var data struct {
		Groups []struct {
			Rules []struct{ Name, State, Health, LastError string }
		}
	}
	states = map[string]string{}
	p.ask("/api/v1/rules", &data)
	for _, g := range data.Groups {
		for _, one := range g.Rules {
			if states[one.Name] = one.State; one.Health != "ok" {
				ill = append(ill, one.Name+": "+one.Health+" "+one.LastError)
			}
		}
	}
	return states, ill
}

// TestRealPrometheus scrapes a server, evaluates our rules and every expression of our dashboard, and
// sees a host fall silent.
func TestRealPrometheus(t *testing.T) {
	r := start(t)
	r.busy(t)
	p := startPrometheus(t, r)
	await(t, "a scrape of the server", func() bool { return p.scraped() == "up" || strings.HasPrefix(p.scraped(), "down") })
	if got := p.scraped(); got != "up" {
		t.Fatalf("the scrape of the server is %s", got)
	}
	state := func(rule, want string) {
		await(t, rule+" "+want, func() bool {
			states, ill := p.rules()
			return len(states) >= 10 && len(ill) == 0 && states[rule] == want
		})
	}
	state("PlumbReleaseRefused", "pending") // it has to last for a while
	state("PlumbRolloutHalted", "firing")
	state("PlumbHostsSilent", "inactive")
	r.silence(t)
	state("PlumbHostsSilent", "pending")
	p.dashboard()
}

// silence makes every host one that has not called for long.
func (r *running) silence(t *testing.T) {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(r.data, "plumb.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.MarkStale(t.Context(), time.Now().Add(time.Hour), time.Now()); err != nil {
		t.Fatal(err)
	}
}

// dashboard asks for all that the dashboard shows.
func (p *prom) dashboard() {
	p.Helper()
	instance := strings.NewReplacer("$instance", ".*", "[5m]", "[10s]", "[1h]", "[10s]")
	asked := 0
	for _, expr := range expressions(p.T, "../docs/monitoring/plumb-dashboard.json") {
		if expr == "prometheus" || strings.HasPrefix(expr, "label_values(") {
			continue
		}
		asked++
		expr = instance.Replace(expr)
		n := 0
		for deadline := time.Now().Add(20 * time.Second); n < 1 && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
			n = p.query(expr)
		}
		if n < 1 {
			p.Errorf("%s has %d series, want some", expr, n)
		}
	}
	if asked < 15 {
		p.Errorf("the dashboard asks for %d things only", asked)
	}
}
