package sshd

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"plumb/agent/protocol"
)

// gate counts connections, in all and for each key: an address, a host or an author.
type gate struct {
	each, all int // the most of one key, and of all; 0 is no limit

	mu    sync.Mutex
	total int
	by    map[string]int
}

func (g *gate) enter(key string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if (g.all > 0 && g.total >= g.all) || g.by[key] >= g.each {
		return false
	}
	if g.by == nil {
		g.by = map[string]int{}
	}
	g.total++
	g.by[key]++
	return true
}

func (g *gate) leave(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
	if g.by[key]--; g.by[key] == 0 {
		delete(g.by, key)
	}
}

// doors are the gates of one listener.
type doors struct {
	starting  gate // those that have not proved who they are, by address
	enrolling gate // those that have a key and nothing else, by address
	known     gate // hosts and authors, by who they are
}

func newDoors() *doors {
	return &doors{
		starting:  gate{each: maxHandshakes, all: maxStarting},
		enrolling: gate{each: maxEnrolling, all: maxEnrollingAll},
		known:     gate{each: maxKnown},
	}
}

// of returns the gate that an authenticated connection has to pass, and its key there.
func (d *doors) of(w identity, address string) (*gate, string) {
	switch w.user {
	case protocol.SSHAgent:
		return &d.known, "host " + string(w.host)
	case protocol.SSHGit:
		return &d.known, "author " + w.author
	}
	return &d.enrolling, address
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
