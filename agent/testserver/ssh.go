package testserver

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

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
		select {
		case c.next <- &conn{ch, raw}:
		case <-c.done:
			return
		}
	}
}

type conn struct {
	io.ReadWriteCloser
	raw net.Conn
}

func (c *conn) LocalAddr() net.Addr              { return c.raw.LocalAddr() }
func (c *conn) RemoteAddr() net.Addr             { return c.raw.RemoteAddr() }
func (c *conn) SetDeadline(time.Time) error      { return nil }
func (c *conn) SetReadDeadline(time.Time) error  { return nil }
func (c *conn) SetWriteDeadline(time.Time) error { return nil }
