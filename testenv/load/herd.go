package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// interval is how often agents call; a herd that has less time than that has shorter waits too.
const interval = 5 * time.Minute

// herd is a fleet that comes back after its server was away.
type herd struct {
	settings
	*site
	began time.Time

	mu      sync.Mutex
	latency []time.Duration
	served  int
	refused int
	failed  int
	last    time.Duration
}

// herd has all hosts return within one interval to a server that has just started. None may be lost.
func (s settings) herd(ctx context.Context, t *table) error {
	v, err := newSite(ctx, s.bin, "")
	if err != nil {
		return err
	}
	defer v.close()
	if err := v.release(ctx); err != nil {
		return err
	}
	at := time.Now()
	hosts, err := v.enrol(ctx, s.hosts)
	if err != nil {
		return err
	}
	fmt.Printf("herd: %d hosts enrolled in %v, resident %d MB\n", s.hosts, time.Since(at).Round(time.Second), v.resident()>>20)
	v.stop()
	if err := v.up(ctx); err != nil {
		return err
	}
	h := &herd{settings: s, site: v, began: time.Now()}
	most, cpu := h.comeBack(ctx, hosts), v.cpu()
	lost := s.hosts - h.served
	quantiles := score{latency: h.latency}
	fmt.Printf("herd: %d of %d hosts served in %v, %d refused, %d failed tries, p50 %v, p99 %v, %v of the server's CPU, resident %d MB at most\n", h.served, s.hosts,
		h.last.Round(time.Millisecond), h.refused, h.failed, quantiles.quantile(0.5).Round(time.Millisecond), quantiles.quantile(0.99).Round(time.Millisecond), cpu, most>>20)
	t.add(fmt.Sprintf("%d hosts that return within %v: lost (%d refused, p99 %v)", s.hosts, s.length, h.refused, quantiles.quantile(0.99).Round(time.Millisecond)),
		fmt.Sprint(lost), "", "", "0")
	t.add(fmt.Sprintf("resident with %d hosts", s.hosts), fmt.Sprintf("%d MB", most>>20), "", "", "1000 MB")
	return nil
}

// comeBack lets the hosts return and gives the most that the server held in memory.
func (h *herd) comeBack(ctx context.Context, hosts []*host) (most int64) {
	ctx, cancel := context.WithTimeout(ctx, 2*h.length+2*time.Minute)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		var wg sync.WaitGroup
		for _, one := range hosts {
			wg.Go(func() { h.returns(ctx, one) })
		}
		wg.Wait()
	}()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		most = max(most, h.resident())
		select {
		case <-done:
			return most
		case <-ticker.C:
		}
	}
}

// returns is one host that was left alone and goes on as agents do: at a random time within the
// interval, and after a failure when it was told to, or at a random time below a bound that doubles.
func (h *herd) returns(ctx context.Context, one *host) {
	wait := rand.N(h.length)
	for failures := 0; ; failures++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		at := time.Now()
		a, err := one.callOnce(ctx, h.agents)
		if err == nil && a.code == http.StatusOK && one.n%verifyEvery == 0 {
			_, err = one.accept(a)
		}
		if h.note(a, err, time.Since(at)) {
			return
		}
		back := a.after + rand.N(a.after/10+1)
		if a.after == 0 {
			back = time.Second + rand.N(min(30*time.Minute, 30*time.Second<<min(failures, 8)))
		}
		wait = back * h.length / max(h.length, interval)
	}
}

// note counts a call and tells whether the host was served.
func (h *herd) note(a answer, err error, took time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil && a.code == http.StatusOK:
		h.served++
		h.latency, h.last = append(h.latency, took), time.Since(h.began)
		return true
	case err == nil && a.code == http.StatusTooManyRequests:
		h.refused++
	default:
		h.failed++
	}
	return false
}
