package server

import (
	"crypto/sha256"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
)

// Limits on connections. Who has not shown who they are holds few; a host needs one and may have
// left some behind on a bad line.
const (
	strangersOfAddress = 256
	strangersInAll     = 10_000
	connsOfHost        = 4
)

// gate is a listener that bounds what strangers can hold open. On the agents' port a connection is a
// stranger's until its first request, which comes after a good certificate; on the port for
// people it is one for as long as it lives.
type gate struct {
	net.Listener
	proves bool // whether connections prove who they are
	turns  chan struct{}

	mu        sync.Mutex
	strangers map[netip.Addr]int
	all       int
	hosts     map[[sha256.Size]byte][]net.Conn // by certificate, the oldest first
}

func newGate(ln net.Listener, proves bool) *gate {
	return &gate{Listener: ln, proves: proves, turns: make(chan struct{}, handshakes), strangers: map[netip.Addr]int{}, hosts: map[[sha256.Size]byte][]net.Conn{}}
}

// guest is a connection that gives its place back once.
type guest struct {
	net.Conn
	turn
	leave func()
}

// Close ends the connection.
func (g *guest) Close() error {
	g.leave()
	return g.Conn.Close()
}

// Accept returns the next connection for which there is a place, and drops the others.
func (g *gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := addressOf(conn)
		if !g.enter(from) {
			_ = conn.Close()
			continue
		}
		c := &guest{Conn: conn}
		c.leave = sync.OnceFunc(func() { g.left(from); c.ends() })
		return c, nil
	}
}

func addressOf(conn net.Conn) netip.Addr {
	at, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

// enter takes a place. This machine itself has no limit of its own: a proxy or a tunnel on it
// stands for many.
func (g *gate) enter(from netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	here := from == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || from == netip.IPv6Loopback()
	if g.all >= strangersInAll || !here && g.strangers[from] >= strangersOfAddress {
		return false
	}
	g.all++
	g.strangers[from]++
	return true
}

func (g *gate) left(from netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all--
	if g.strangers[from]--; g.strangers[from] == 0 {
		delete(g.strangers, from)
	}
}

// watch follows a connection of the HTTP server. The first request of a host ends its being a stranger,
// and the oldest of its connections that is one too many.
func (g *gate) watch(conn net.Conn, state http.ConnState) {
	secure, ok := conn.(*tls.Conn)
	if !ok || !g.proves || state == http.StateNew || state == http.StateIdle {
		return
	}
	certs := secure.ConnectionState().PeerCertificates
	if len(certs) == 0 {
		return
	}
	key := sha256.Sum256(certs[0].RawSubjectPublicKeyInfo)
	if old := g.seat(key, conn, state == http.StateActive); old != nil {
		_ = old.(*tls.Conn).NetConn().Close() // without a word of farewell, for which a dead line would let us wait
	}
	if inner, ok := secure.NetConn().(*guest); ok {
		inner.leave()
	}
}

// seat adds or removes a connection of a host, and returns the one that has to go.
func (g *gate) seat(key [sha256.Size]byte, conn net.Conn, active bool) (old net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	held := g.hosts[key]
	at := slices.Index(held, conn)
	switch {
	case active && at >= 0:
		return nil
	case active:
		held = append(held, conn)
	case at >= 0:
		held = slices.Delete(held, at, at+1)
	}
	if len(held) > connsOfHost {
		old, held = held[0], slices.Clone(held[1:])
	}
	if g.hosts[key] = held; len(held) == 0 {
		delete(g.hosts, key)
	}
	return old
}
