package main

import (
	"context"
	"slices"
	"sync"
	"time"
)

// score is what some clients got done in a while.
type score struct {
	done    int
	took    time.Duration
	latency []time.Duration
	// cpu is what the server used.
	cpu time.Duration
	err error
}

func (s score) rate() float64 { return float64(s.done) / s.took.Seconds() }

// each is the server's CPU for one piece of work.
func (s score) each() time.Duration { return s.cpu / time.Duration(max(s.done, 1)) }

// quantile is the latency that a share of the exchanges did not exceed.
func (s score) quantile(share float64) time.Duration {
	if len(s.latency) == 0 {
		return 0
	}
	slices.Sort(s.latency)
	return s.latency[int(share*float64(len(s.latency)-1))]
}

// drive lets clients do a piece of work again and again for a while; each gets its number and how
// often it was done. Whoever fails ends all.
func drive(ctx context.Context, p *process, clients int, length time.Duration, work func(ctx context.Context, client, n int) error) score {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var total score
	var mu sync.Mutex
	var wg sync.WaitGroup
	before, began := p.cpu(), time.Now()
	for client := range clients {
		wg.Go(func() {
			var own []time.Duration
			var err error
			for n := 0; err == nil && ctx.Err() == nil && time.Since(began) < length; n++ {
				at := time.Now()
				if err = work(ctx, client, n); err == nil {
					own = append(own, time.Since(at))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total.done, total.latency = total.done+len(own), append(total.latency, own...)
			if err != nil && total.err == nil {
				total.err = err
				cancel()
			}
		})
	}
	wg.Wait()
	total.took, total.cpu = time.Since(began), p.cpu()-before
	return total
}
