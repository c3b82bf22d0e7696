package sshd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"plumb/agent/protocol"
	"plumb/inventory"
)

// ErrUnknown is what Authors and Hosts return for a key that they do not know, or not any
// more. Every other error is a fault of the server, and closes the door as well.
var ErrUnknown = errors.New("this key is not known here")

// Limits of the listener.
const (
	handshakeTime   = 20 * time.Second // it takes seven round trips, each of which a bad line may lose
	idleTime        = 15 * time.Minute
	enrollTime      = 5 * time.Minute // a connection that only enrols, whatever it does
	maxHandshakes   = 8               // unauthenticated connections of one address
	maxStarting     = 256             // unauthenticated connections of all
	maxEnrolling    = 32              // connections of one address that only enrol
	maxEnrollingAll = 512             // and of all
	maxKnown        = 16              // connections of one host or author
	maxChannels     = 8               // open channels of one connection
	maxHeader       = 16 << 10
	headerTime      = 10 * time.Second
	requestTime     = 5 * time.Minute
	maxChannelsEver = 100_000 // of one connection, then it has to come again
)

// Server is the SSH listener. Fill in the exported fields, then call Serve.
type Server struct {
	// HostKey is the server's own key.
	HostKey ssh.Signer
	// Authors returns the name of the author with the key's SHA-256 fingerprint, or ErrUnknown.
	Authors func(ctx context.Context, fingerprint string) (string, error)
	// Hosts returns the enrolled host with the fingerprint, or ErrUnknown; so for a revoked one.
	Hosts func(ctx context.Context, fingerprint string) (inventory.HostID, error)
	// Git serves one clone, fetch or push and returns git's exit code.
	Git func(ctx context.Context, c Command, stdin io.Reader, stdout, stderr io.Writer) int
	// Handler answers the HTTP requests of agents; see [Caller].
	Handler http.Handler
	// Log gets what an administrator may want to know; nil drops it.
	Log *slog.Logger

	mu   sync.Mutex
	open map[*session]bool
}

// Command is what an author asks of Git.
type Command struct {
	// Author is the registered name behind the key.
	Author string
	// Service is git-upload-pack or git-receive-pack.
	Service string
	// Protocol is the client's GIT_PROTOCOL, checked to be version=N, or empty.
	Protocol string
}

// Serve accepts connections until ctx ends, then closes them all and returns.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	web := s.web(ctx)
	var all sync.WaitGroup
	all.Go(func() { web.serve() })
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	config, gates := s.config(ctx), newDoors()
	for {
		conn, err := ln.Accept()
		if err != nil && temporary(ctx, err) {
			continue
		}
		if err != nil {
			cancel()
			s.closeAll()
			web.close()
			all.Wait()
			return endOf(err)
		}
		all.Go(func() { s.handle(ctx, conn, config, gates, web) })
	}
}

// temporary waits a moment after an error that more file descriptors would cure.
func temporary(ctx context.Context, err error) bool {
	if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(50 * time.Millisecond):
		return true
	}
}

func endOf(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("cannot accept SSH connections: %w", err)
}

func (s *Server) handle(ctx context.Context, conn net.Conn, config *ssh.ServerConfig, gates *doors, web *web) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	address, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil || !gates.starting.enter(address) {
		return
	}
	server, channels, requests, err := handshake(conn, config)
	gates.starting.leave(address)
	if err != nil {
		s.log().Debug("ssh handshake failed", "remote", address, "error", err)
		return
	}
	defer server.Close()
	go refuseGlobal(requests)
	c := &session{server: s, conn: server, who: who(server.Permissions), web: web}
	gate, key := gates.of(c.who, address)
	if !gate.enter(key) {
		s.log().Warn("too many SSH connections", "of", key, "remote", address)
		return
	}
	defer gate.leave(key)
	if c.who.user == protocol.SSHEnroll {
		end := time.AfterFunc(enrollTime, func() { conn.Close() })
		defer end.Stop()
	}
	if s.add(ctx, c) {
		defer s.remove(c)
		c.serve(ctx, channels)
	}
}

func handshake(conn net.Conn, config *ssh.ServerConfig) (*ssh.ServerConn, <-chan ssh.NewChannel, <-chan *ssh.Request, error) {
	idle := &idleConn{Conn: conn}
	if err := conn.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return nil, nil, nil, err
	}
	server, channels, requests, err := ssh.NewServerConn(idle, config)
	if err != nil {
		return nil, nil, nil, err
	}
	idle.start()
	return server, channels, requests, nil
}

// refuseGlobal answers keepalives as OpenSSH does, with a no, and refuses forwarding alike.
func refuseGlobal(requests <-chan *ssh.Request) {
	for r := range requests {
		if r.WantReply {
			_ = r.Reply(false, nil) // the connection is gone if this fails
		}
	}
}

// Drop closes every open connection of a host, such as one that was just revoked.
func (s *Server) Drop(host inventory.HostID) {
	s.dropIf(func(w identity) bool { return host != "" && w.host == host })
}

// DropAuthor closes every open connection of an author.
func (s *Server) DropAuthor(name string) {
	s.dropIf(func(w identity) bool { return name != "" && w.author == name })
}

func (s *Server) closeAll() { s.dropIf(func(identity) bool { return true }) }

func (s *Server) dropIf(matches func(identity) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		if matches(c.who) {
			_ = c.conn.Close() // it was closed already if this fails
		}
	}
}

func (s *Server) add(ctx context.Context, c *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	if s.open == nil {
		s.open = map[*session]bool{}
	}
	s.open[c] = true
	return true
}

func (s *Server) remove(c *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

func (s *Server) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}
