package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"plumb/server/api"
	"plumb/server/authority"
)

// Limits of the HTTP listeners. A body may take its time on a slow line; a handshake and a header
// have the time to lose a few packets.
const (
	headerTime   = 10 * time.Second
	bodyTime     = 2 * time.Minute
	answerTime   = 10 * time.Minute
	idleTime     = 3 * time.Minute
	headerBytes  = 16 << 10
	shutdownTime = 10 * time.Second
)

// listeners are the server's doors, open but not yet served.
type listeners struct {
	people, agents, ssh, local net.Listener
}

func listen(c Config) (l listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.people, err = tcp(c.Listen); err != nil {
		return l, err
	}
	if l.agents, err = tcp(c.AgentListen); err != nil {
		return l, err
	}
	if l.ssh, err = tcp(c.SSHListen); err != nil {
		return l, err
	}
	l.local, err = socket(filepath.Join(c.Data, api.SocketName))
	return l, err
}

// deadTime is how long a connection lives of which the other end is gone.
const deadTime = 50 * time.Second // with the kernel's grain it is no more than a minute

// tcp opens a port. The kernel gives up a dead connection of it, whether it is idle or waits for an
// acknowledgement.
func tcp(address string) (net.Listener, error) {
	conf := net.ListenConfig{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: deadTime / 4, Interval: deadTime / 4, Count: 3},
		Control:         giveUp,
	}
	ln, err := conf.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return ln, nil
}

// giveUp sets on a listening socket what the connections that it accepts inherit.
func giveUp(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deadTime/time.Millisecond))
	})
	return errors.Join(err, failed)
}

// socket opens the administrator's way in. Whoever may write to it is an administrator, so
// it is for the server's own user only; a stale one of a killed server is replaced.
func socket(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot replace the old socket: %w", err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot open the socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, fmt.Errorf("cannot protect the socket: %w", err)
	}
	return ln, nil
}

func (l listeners) close() {
	for _, one := range []net.Listener{l.people, l.agents, l.ssh, l.local} {
		if one != nil {
			_ = one.Close()
		}
	}
}

// addresses are the listeners as others reach them: the server's name and the real ports.
func (l listeners) addresses(name string) api.Addresses {
	at := func(ln net.Listener) string {
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		return net.JoinHostPort(name, port)
	}
	return api.Addresses{People: at(l.people), Agents: at(l.agents), SSH: at(l.ssh)}
}

// peopleTLS asks nobody for a certificate; agentsTLS takes no connection without one.
func peopleTLS(cert tls.Certificate) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}}
}

func agentsTLS(cert tls.Certificate, a *authority.Authority, now func() time.Time) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.CAPool(), Time: now,
		SessionTicketsDisabled: true, // a resumed session would skip the look at the certificate
	}
}

// serveHTTP serves until ctx ends, then lets open requests finish.
func (s *Server) serveHTTP(ctx context.Context, ln net.Listener, conf *tls.Config, h http.Handler) error {
	srv := &http.Server{
		Handler: h, TLSConfig: conf,
		ReadHeaderTimeout: headerTime, ReadTimeout: bodyTime, WriteTimeout: answerTime, IdleTimeout: idleTime,
		MaxHeaderBytes: headerBytes,
		// Failed handshakes are what strangers cause; they must not be able to fill a log.
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	if conf != nil {
		gate := newGate(ln, conf.ClientAuth == tls.RequireAndVerifyClientCert)
		ln, srv.ConnState = gate, gate.watch
		if gate.proves {
			conf.GetConfigForClient = gate.hello
		}
	}
	stop := context.AfterFunc(ctx, func() {
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		if srv.Shutdown(patience) != nil {
			_ = srv.Close()
		}
	})
	defer stop()
	serve := func() error { return srv.Serve(ln) }
	if conf != nil {
		serve = func() error { return srv.ServeTLS(ln, "", "") }
	}
	if err := serve(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve %s: %w", ln.Addr(), err)
	}
	return nil
}
