package server_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"plumb/agent/protocol"
)

// strangersPlaces is how many connections one address may hold open without showing who it is.
const strangersPlaces = 256

// dialFrom opens n connections from one address of this machine and says nothing on them.
func dialFrom(t *testing.T, from net.IP, to string, n int) []net.Conn {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: 5 * time.Second}
	conns := make([]net.Conn, 0, n)
	for range n {
		conn, err := dialer.Dial("tcp", to)
		if err != nil {
			t.Fatalf("after %d connections: %v", len(conns), err)
		}
		conns = append(conns, conn)
	}
	t.Cleanup(func() {
		for _, conn := range conns {
			conn.Close()
		}
	})
	return conns
}

// held counts the connections that the server has not dropped.
func held(conns []net.Conn) (open int) {
	for _, conn := range conns {
		_ = conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		_, err := conn.Read(make([]byte, 1))
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			open++
		}
	}
	return open
}

// T06: thousands of sockets of a stranger that says next to nothing hold a few places, and hosts and people are
// served meanwhile.
func TestIdleSocketsHoldFewPlaces(t *testing.T) {
	sockets := 1000
	if os.Getenv("PLUMB_SOAK") == "1" {
		sockets = 9000 // a process may have 20,000 files, and both ends are in this one
	}
	r := start(t)
	cert, _, _, _ := r.enroll(t, "h1")
	for door, at := range map[string]string{"people": r.at.People, "agents": r.at.Agents} {
		evil := dialFrom(t, net.IPv4(127, 0, 9, 1), at, sockets)
		open := held(evil)
		for tries := 0; open > strangersPlaces && tries < 50; tries++ {
			open = held(evil) // those that the server has just dropped
		}
		if open > strangersPlaces || open == 0 {
			t.Errorf("%s: one address holds %d connections, want %d at most", door, open, strangersPlaces)
		}
		var took []time.Duration
		for range 50 {
			began := time.Now()
			if code := r.overTLS(r.at.Agents, cert).do(t, "POST", protocol.PathCheckIn, protocol.CheckIn{Version: 1}, nil); code != http.StatusOK {
				t.Fatalf("%s: an honest host got %d", door, code)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		t.Logf("%s: %d sockets; honest check-ins over new connections took %v in the middle, %v at most", door, sockets, took[25], took[49])
		for _, conn := range evil {
			conn.Close()
		}
	}
}

// A host whose line drops connections without a word keeps no more than a few of them.
func TestHostHoldsFewConnections(t *testing.T) {
	r := start(t)
	cert, _, _, _ := r.enroll(t, "h1")
	var conns []net.Conn
	for range 12 {
		conn, err := tls.Dial("tcp", r.at.Agents, &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: r.keys.CAPool(), ServerName: protocol.ServerName, Certificates: []tls.Certificate{cert}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("GET " + protocol.PathTags + "x HTTP/1.1\r\nHost: " + protocol.ServerName + "\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := conn.Read(make([]byte, 4096)); err != nil {
			t.Fatalf("connection %d: %v", len(conns), err)
		}
		conns = append(conns, conn)
	}
	open := held(conns)
	for tries := 0; open > 4 && tries < 50; tries++ {
		open = held(conns) // a busy machine may look at one too late to see its end
	}
	if open != 4 {
		t.Errorf("%d connections of one host are open, want 4", open)
	}
}
