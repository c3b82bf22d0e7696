package patching

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"plumb/modules/system"
	"plumb/policies"
)

const (
	probeLimit  = 10 * time.Second // for one try
	probePause  = 2 * time.Second  // between two tries
	probeWithin = 30 * time.Second // where the policy does not say
)

func (h realHost) probeCommand(ctx context.Context, argv []string) error {
	out, err := h.sys.Run(ctx, system.Command{Argv: argv, Timeout: probeLimit})
	if err != nil {
		return err
	}
	if out.Code != 0 {
		return fmt.Errorf("%s ended with %d: %s", argv[0], out.Code, out.LastWords())
	}
	return nil
}

func (h realHost) probeUnit(ctx context.Context, name string) error {
	u, err := h.sys.Unit(ctx, system.UnitName(name))
	if err != nil {
		return err
	}
	if !u.Running() {
		return fmt.Errorf("%s is %s (%s)", u.Name, u.Active, u.Sub)
	}
	return nil
}

// probeHTTP asks without a proxy and follows no redirect: 200 to 399 is a good answer.
func probeHTTP(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("cannot ask %s: %w", url, err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("cannot ask %s: %w", url, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode > 399 {
		return fmt.Errorf("%s answered %s", url, answer.Status)
	}
	return nil
}

func probeTCP(ctx context.Context, address string) error {
	dialer := net.Dialer{Timeout: probeLimit}
	c, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("cannot reach %s: %w", address, err)
	}
	return c.Close()
}

// ask repeats a probe until it is good or its time is over.
func (m *Machine) ask(ctx context.Context, p policies.Probe) error {
	within := time.Duration(p.Within) * time.Second
	if within <= 0 {
		within = probeWithin
	}
	for waited := time.Duration(0); ; waited += probePause {
		began := m.now()
		err := m.host.Probe(ctx, p)
		waited += max(0, m.now().Sub(began))
		if err == nil || waited >= within || ctx.Err() != nil {
			return err
		}
		m.host.Sleep(ctx, probePause)
	}
}

// askAll asks every probe and returns what the bad ones said.
func (m *Machine) askAll(ctx context.Context) []string {
	var bad []string
	for _, p := range m.spec.Probes {
		if err := m.ask(ctx, p); err != nil {
			bad = append(bad, fmt.Sprintf("%s: %v", p.Name, err))
		}
	}
	return bad
}
