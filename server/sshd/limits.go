package sshd

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// gate counts connections that have not proved who they are.
type gate struct {
	mu    sync.Mutex
	total int
	by    map[string]int
}

func (g *gate) enter(address string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total >= maxStarting || g.by[address] >= maxHandshakes {
		return false
	}
	if g.by == nil {
		g.by = map[string]int{}
	}
	g.total++
	g.by[address]++
	return true
}

func (g *gate) leave(address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
	if g.by[address]--; g.by[address] == 0 {
		delete(g.by, address)
	}
}

// idleConn hangs up when nothing was read or written for idleTime. Until start the deadline
// of the handshake stands, whatever the client sends.
type idleConn struct {
	net.Conn
	started atomic.Bool
}

func (c *idleConn) start() {
	c.started.Store(true)
	c.extend()
}

func (c *idleConn) extend() {
	if c.started.Load() {
		_ = c.Conn.SetDeadline(time.Now().Add(idleTime)) // fails only on a closed connection
	}
}

func (c *idleConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.extend()
	}
	return n, err
}

func (c *idleConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if n > 0 {
		c.extend()
	}
	return n, err
}
