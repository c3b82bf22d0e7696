package sshd

import (
	"bufio"
	"net"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"plumb/agent/protocol"
)

func TestChannelLimit(t *testing.T) {
	d := newDoor(t)
	_, conn := d.client("web1", protocol.SSHAgent)
	for i := range maxChannels + 1 {
		ch, requests, err := conn.OpenChannel(protocol.SSHChannel, nil)
		if (err == nil) != (i < maxChannels) {
			t.Fatalf("opening channel %d: %v", i+1, err)
		}
		if err == nil {
			go ssh.DiscardRequests(requests)
			defer ch.Close()
		}
	}
}

func TestHandshakeLimit(t *testing.T) {
	d := newDoor(t)
	var first net.Conn
	for i := range maxHandshakes {
		conn, err := net.Dial("tcp", d.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
			t.Fatalf("connection %d gets no greeting: %v", i+1, err)
		}
		first = conn
	}
	over, err := net.Dial("tcp", d.address)
	if err != nil {
		t.Fatal(err)
	}
	defer over.Close()
	if line, err := bufio.NewReader(over).ReadString('\n'); err == nil {
		t.Errorf("one connection too many got a greeting: %q", line)
	}
	first.Close() // gives its place back
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		if conn, err := d.dial("web1", protocol.SSHAgent); err == nil {
			conn.Close()
			return
		}
	}
	t.Error("no place became free when a connection ended")
}

func TestKnownLimit(t *testing.T) {
	d := newDoor(t)
	for i := range maxKnown + 1 {
		conn, err := d.dial("web1", protocol.SSHAgent)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _, err = conn.OpenChannel(protocol.SSHChannel, nil)
		if (err == nil) != (i < maxKnown) {
			t.Errorf("connection %d of one host: %v", i+1, err)
		}
	}
}

func TestGate(t *testing.T) {
	g := gate{each: 2, all: 3}
	for i, step := range []struct {
		key  string
		want bool
	}{{"a", true}, {"a", true}, {"a", false}, {"b", true}, {"c", false}} {
		if got := g.enter(step.key); got != step.want {
			t.Errorf("step %d: enter(%q) = %v, want %v", i, step.key, got, step.want)
		}
	}
	for _, key := range []string{"a", "a", "b"} {
		g.leave(key)
	}
	if g.total != 0 || len(g.by) != 0 {
		t.Errorf("the gate still holds %d, %v", g.total, g.by)
	}
}
