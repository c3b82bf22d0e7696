package server

import (
	"crypto/tls"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestHandshakesTakeTurns has three connections with one turn among them: one that ends makes room, one
// that was closed while it waited keeps nothing, and nobody waits for ever.
func TestHandshakesTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(nil, true)
		g.turns = make(chan struct{}, 1)
		ask := func(c *guest) error { _, err := g.hello(&tls.ClientHelloInfo{Conn: c}); return err }
		first, second, gone := &guest{}, &guest{}, &guest{}
		if err := ask(first); err != nil {
			t.Fatal(err)
		}
		if err := ask(second); !errors.Is(err, errNoTurn) {
			t.Errorf("a connection got %v while another had the turn, want errNoTurn", err)
		}
		gone.ends()
		go func() { time.Sleep(time.Second); first.ends() }()
		if err := ask(gone); err != nil {
			t.Fatal(err)
		}
		if err := ask(second); err != nil {
			t.Errorf("a connection got %v after the one before it was closed", err)
		}
		second.ends()
		second.ends()
		if len(g.turns) != 0 {
			t.Errorf("%d turns were not given back", len(g.turns))
		}
	})
}
