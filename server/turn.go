package server

import (
	"crypto/tls"
	"errors"
	"sync"
	"time"
)

// A fleet that comes back all at once must not make everybody's handshake last as long as all of
// them: then each host gives up before its own is over, and comes again. So only some shake hands at
// the same time and the others wait their turn, in the order in which they came. What counts is the
// server's own work, up to its first words: a slow host must not keep others waiting.
const (
	handshakes = 32
	// turnTime is how long a connection waits for its turn. A host waits twice as long for its handshake.
	turnTime = 4 * time.Second
)

var errNoTurn = errors.New("too many connections are waiting to shake hands")

// hello lets a connection wait for its turn when its first bytes are there: until then it costs next
// to nothing. Its turn ends with the server's first words, or with the connection.
func (g *gate) hello(h *tls.ClientHelloInfo) (*tls.Config, error) {
	c, ok := h.Conn.(*guest)
	if !ok {
		return nil, nil
	}
	select {
	case g.turns <- struct{}{}:
		c.takes(func() { <-g.turns })
		return nil, nil
	default:
	}
	late := time.NewTimer(turnTime)
	defer late.Stop()
	select {
	case g.turns <- struct{}{}:
		c.takes(func() { <-g.turns })
		return nil, nil
	case <-late.C:
		return nil, errNoTurn
	}
}

// Write sends the server's words.
func (g *guest) Write(p []byte) (int, error) {
	g.ends()
	return g.Conn.Write(p)
}

// turn is the turn of a connection, which ends once.
type turn struct {
	mu   sync.Mutex
	end  func()
	over bool
}

func (t *turn) takes(end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over { // it was closed while it waited
		end()
		return
	}
	t.end = end
}

func (t *turn) ends() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over = true; t.end != nil {
		t.end()
		t.end = nil
	}
}
