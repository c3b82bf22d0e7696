package testserver

import (
	"errors"
	"io"
	"net"
	"testing"

	"golang.org/x/crypto/ssh"

	"plumb/agent/protocol"
)

// serveSSH hands every channel to the same handler as a connection.
func (s *Server) serveSSH(t testing.TB) string {
	config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
	config.AddHostKey(s.hostKey)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	conns := &channels{addr: l.Addr(), next: make(chan net.Conn), done: make(chan struct{})}
	s.handle(t, conns)
	go func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { raw.Close() })
			go conns.serve(raw, config)
		}
	}()
	return l.Addr().String()
}

// channels is a listener whose connections are channels.
type channels struct {
	addr net.Addr
	next chan net.Conn
	done chan struct{}
}

func (c *channels) Accept() (net.Conn, error) {
	select {
	case conn := <-c.next:
		return conn, nil
	case <-c.done:
		return nil, errors.New("closed")
	}
}

func (c *channels) Close() error {
	close(c.done)
	return nil
}

func (c *channels) Addr() net.Addr { return c.addr }

func (c *channels) serve(raw net.Conn, config *ssh.ServerConfig) {
	_, chans, requests, err := ssh.NewServerConn(raw, config)
	if err != nil {
		raw.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	for one := range chans {
		if one.ChannelType() != protocol.SSHChannel {
			one.Reject(ssh.UnknownChannelType, "")
			continue
		}
		ch, requests, err := one.Accept()
		if err != nil {
			continue
		}
		go ssh.DiscardRequests(requests)
		near, far := net.Pipe() // net/http needs deadlines, which a channel does not have
		go func() { io.Copy(far, ch); far.Close() }()
		go func() { io.Copy(ch, far); ch.Close() }()
		select {
		case c.next <- near:
		case <-c.done:
			return
		}
	}
}
