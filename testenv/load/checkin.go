package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// verifyEvery is which share of leases is verified: one in so many.
const verifyEvery = 100

// callers is how many hosts take turns. A server lets each call twenty times a second, so they have
// to be more than the clients that call at once.
const callers = 2000

// pair is a server and a bare one, each with its hosts.
type pair struct {
	plumb      *site
	bare       *bare
	hosts, own []*host
}

// newPair starts both. The bare server sends answers as long as Plumb's.
func (s settings) newPair(ctx context.Context) (*pair, error) {
	p := &pair{}
	var err error
	if p.plumb, err = newSite(ctx, s.bin, ""); err != nil {
		return p, err
	}
	if err := p.plumb.release(ctx); err != nil {
		return p, err
	}
	if p.hosts, err = p.plumb.enrol(ctx, callers); err != nil {
		return p, err
	}
	length, err := p.answerLength(ctx)
	if err != nil {
		return p, err
	}
	if p.bare, err = newBare(ctx, length); err != nil {
		return p, err
	}
	for i := range callers {
		h, err := p.bare.host(i)
		if err != nil {
			return p, err
		}
		p.own = append(p.own, h)
	}
	return p, nil
}

func (p *pair) close() {
	if p.plumb != nil {
		p.plumb.close()
	}
	if p.bare != nil {
		p.bare.close()
	}
}

// answerLength is how long Plumb's answers are, in bytes.
func (p *pair) answerLength(ctx context.Context) (int, error) {
	h := p.hosts[0]
	l, err := dial(ctx, p.plumb.agents, nil, h.tls)
	if err != nil {
		return 0, err
	}
	defer l.close()
	a, err := l.exchange(h.checkIn())
	if err != nil {
		return 0, err
	}
	_, err = h.accept(a)
	return len(a.body), err
}

// compare measures the same work on both servers in turn and notes the medians.
func (s settings) compare(ctx context.Context, t *table, what string, goal float64, p *pair, work func(at string, hosts []*host) func(context.Context, int, int) error) error {
	var ours, theirs, ratios, each []float64
	for range s.rounds {
		bare := drive(ctx, p.bare.process, s.clients, s.length, work(p.bare.at, p.own))
		plumb := drive(ctx, p.plumb.process, s.clients, s.length, work(p.plumb.agents, p.hosts))
		for _, one := range []score{bare, plumb} {
			if one.err != nil {
				return one.err
			}
		}
		fmt.Printf("%s: bare %.0f/s (%v of CPU each), plumb %.0f/s (%v of CPU each), p50 %v, p99 %v\n", what, bare.rate(), bare.each().Round(100*time.Nanosecond),
			plumb.rate(), plumb.each().Round(100*time.Nanosecond), plumb.quantile(0.5).Round(time.Microsecond), plumb.quantile(0.99).Round(time.Microsecond))
		ours, theirs = append(ours, plumb.rate()), append(theirs, bare.rate())
		ratios, each = append(ratios, plumb.rate()/bare.rate()), append(each, float64(plumb.each()))
	}
	t.add(fmt.Sprintf("%s, %d clients (%v of CPU each)", what, s.clients, time.Duration(median(each)).Round(time.Microsecond)),
		perSecond(median(ours)), perSecond(median(theirs)), fmt.Sprintf("%.2f", median(ratios)), fmt.Sprintf("%.2f", goal))
	return nil
}

// kept has hosts check in again and again on connections that stay open. Nothing is new on them.
func (s settings) kept(ctx context.Context, t *table) error {
	p, err := s.newPair(ctx)
	defer p.close()
	if err != nil {
		return err
	}
	lines := map[string][]*line{}
	for at, hosts := range map[string][]*host{p.plumb.agents: p.hosts, p.bare.at: p.own} {
		if lines[at], err = dialAll(ctx, at, hosts); err != nil {
			return err
		}
		defer hangUp(lines[at])
	}
	return s.compare(ctx, t, "check-ins on kept connections", 0.5, p, func(at string, hosts []*host) func(context.Context, int, int) error {
		return func(_ context.Context, client, n int) error {
			i := s.turn(client, n, len(hosts))
			return hosts[i].once(lines[at][i], n)
		}
	})
}

// dialAll opens a connection for each host and checks in once: a server does not wait long for the
// first word.
func dialAll(ctx context.Context, at string, hosts []*host) ([]*line, error) {
	lines := make([]*line, 0, len(hosts))
	for i, h := range hosts {
		l, err := dial(ctx, at, source(i), h.tls)
		if err != nil {
			hangUp(lines)
			return nil, err
		}
		lines = append(lines, l)
		if err := h.once(l, 0); err != nil {
			hangUp(lines)
			return nil, err
		}
	}
	return lines, nil
}

func hangUp(lines []*line) {
	for _, l := range lines {
		l.close()
	}
}

// handshakes has hosts open a connection for each check-in, as agents do.
func (s settings) handshakes(ctx context.Context, t *table) error {
	p, err := s.newPair(ctx)
	defer p.close()
	if err != nil {
		return err
	}
	return s.compare(ctx, t, "check-ins with a handshake each", 0.85, p, func(at string, hosts []*host) func(context.Context, int, int) error {
		return func(ctx context.Context, client, n int) error {
			i := s.turn(client, n, len(hosts))
			l, err := dial(ctx, at, source(i), hosts[i].tls)
			if err != nil {
				return err
			}
			defer l.close()
			return hosts[i].once(l, n)
		}
	})
}

// once checks in.
func (h *host) once(l *line, n int) error {
	a, err := l.exchange(h.checkIn())
	if err != nil {
		return err
	}
	if a.code != http.StatusOK {
		return fmt.Errorf("the server answered %d: %.200s", a.code, a.body)
	}
	if h.leaseKey != "" && n%verifyEvery == 0 {
		_, err = h.accept(a)
	}
	return err
}

// turn is which of the hosts a client plays at its nth try. No two clients ever play the same one.
func (s settings) turn(client, n, hosts int) int {
	own := hosts / s.clients
	return client*own + n%own
}
