package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// too is how many times as many hosts call as the server can serve, and pause how soon those come
// again that were refused: much sooner than agents do.
const (
	too   = 10
	pause = 100 * time.Millisecond
)

// overload compares what gets done when ten times as many hosts call at once as keep the server
// busy, each with a handshake.
func (s settings) overload(ctx context.Context, t *table) error {
	v, err := newSite(ctx, s.bin, "")
	if err != nil {
		return err
	}
	defer v.close()
	if err := v.release(ctx); err != nil {
		return err
	}
	hosts, err := v.enrol(ctx, callers)
	if err != nil {
		return err
	}
	var peaks, under, ratios []float64
	var refused, failed atomic.Int64
	for range s.rounds {
		var done atomic.Int64
		work := func(clients int) func(context.Context, int, int) error {
			done.Store(0)
			return func(ctx context.Context, client, n int) error {
				own := len(hosts) / clients
				a, err := hosts[client*own+n%own].callOnce(ctx, v.agents)
				switch {
				case err == nil && a.code == http.StatusOK:
					done.Add(1)
					return nil
				case err == nil && a.code == http.StatusTooManyRequests:
					refused.Add(1)
				default:
					failed.Add(1)
				}
				time.Sleep(pause)
				return ctx.Err()
			}
		}
		peak := drive(ctx, v.process, s.clients, s.length, work(s.clients))
		peaks = append(peaks, float64(done.Load())/peak.took.Seconds())
		over := drive(ctx, v.process, too*s.clients, s.length, work(too*s.clients))
		under = append(under, float64(done.Load())/over.took.Seconds())
		ratios = append(ratios, under[len(under)-1]/peaks[len(peaks)-1])
		fmt.Printf("overload: %.0f/s at most, %.0f/s with %d times as many clients, p50 %v, p99 %v\n", peaks[len(peaks)-1], under[len(under)-1], too,
			over.quantile(0.5).Round(time.Millisecond), over.quantile(0.99).Round(time.Millisecond))
	}
	t.add(fmt.Sprintf("check-ins with a handshake each, %d clients (%d refused, %d failed), beside %d", too*s.clients, refused.Load(), failed.Load(), s.clients),
		perSecond(median(under)), perSecond(median(peaks)), fmt.Sprintf("%.2f", median(ratios)), "0.90")
	return nil
}

// callOnce checks in on a connection of its own.
func (h *host) callOnce(ctx context.Context, at string) (answer, error) {
	l, err := dial(ctx, at, source(h.n), h.tls)
	if err != nil {
		return answer{}, err
	}
	defer l.close()
	return l.exchange(h.checkIn())
}
