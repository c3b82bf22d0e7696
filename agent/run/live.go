package run

import (
	"context"
	"time"

	"plumb/agent/protocol"
	"plumb/modules/system"
)

// liveEvery is how often somebody is told how far a patch resource is.
const liveEvery = 10 * time.Second

// progresser is a Resource that can tell how far it is while Apply is at work. It is asked from
// another goroutine, so it reads what its Apply has put on the disk, and nothing else.
type progresser interface {
	Progress(sys *system.System) (cycle uint64, phase string, done, total int)
}

// watch tells how far the resource is until the function that it returns is called. That waits for
// the end of the telling, so that nothing of it outlives Apply.
func (w *work) watch() (stop func()) {
	one, ok := w.one.(progresser)
	if !ok || w.Live == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }() // a fault in telling must not end the applying
		beat := time.NewTicker(liveEvery)
		defer beat.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-beat.C:
				w.tellLive(ctx, one)
			}
		}
	}()
	return func() { cancel(); <-done }
}

func (w *work) tellLive(ctx context.Context, one progresser) {
	p := protocol.Progress{Rollout: w.terms().Rollout}
	if p.Cycle, p.Phase, p.Done, p.Total = one.Progress(w.System); p.Cycle == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, liveEvery)
	defer cancel()
	w.Live(ctx, p)
}
