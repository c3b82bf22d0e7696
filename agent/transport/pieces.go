package transport

import (
	"context"
	"sync"
)

// Where a line loses many packets, a connection waits most of the time, and several wait at the same time.
const (
	pieceSize = 32 << 10
	streams   = 3 // one less than the server lets a host have
)

// inPieces tells whether enough is missing to be worth it, no more than there may be, and nobody is at it already.
func (d *download) inPieces() bool {
	return d.to == 0 && d.size <= d.limit && d.size-int64(len(d.got)) >= 2*pieceSize
}

// pieces are those of one download that are fetched at the same time. What came is kept in order.
type pieces struct {
	of   *download
	mu   sync.Mutex
	next int64
	came map[int64][]byte // by where it begins
	err  error
}

// together fetches what is missing in pieces, each stream over a connection of its own. A piece goes on where
// it broke off, like any download.
func (d *download) together(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &pieces{of: d, next: int64(len(d.got)), came: map[int64][]byte{}}
	var all sync.WaitGroup
	for range streams {
		all.Go(func() {
			if err := p.stream(ctx); err != nil {
				p.fail(err)
				cancel()
			}
		})
	}
	all.Wait()
	if p.err != nil {
		return p.err
	}
	return d.whole()
}

// stream fetches one piece after the other.
func (p *pieces) stream(ctx context.Context) error {
	client, end := p.of.client.another()
	defer end()
	for {
		from, to := p.take()
		if from == to {
			return nil
		}
		one := &download{client: client, path: p.of.path, limit: to - from, from: from, to: to}
		if err := one.run(ctx); err != nil {
			return err
		}
		p.keep(from, one.got)
	}
}

func (p *pieces) take() (from, to int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	from = p.next
	p.next = min(from+pieceSize, p.of.size)
	return from, p.next
}

// keep adds to the download whatever follows on what is there.
func (p *pieces) keep(from int64, piece []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.came[from] = piece; ; {
		at := int64(len(p.of.got))
		next, ok := p.came[at]
		if !ok {
			return
		}
		delete(p.came, at)
		p.of.keep(next)
	}
}

// fail notes the first error: the others came of it.
func (p *pieces) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}
