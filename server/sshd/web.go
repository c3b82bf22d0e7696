package sshd

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"golang.org/x/crypto/ssh"

	"plumb/agent/protocol"
	"plumb/inventory"
)

type callerKey struct{}

// Caller returns the enrolled host whose key opened the connection of the request, or an
// empty ID: a host that has yet to enrol, or a request that did not come over SSH.
func Caller(ctx context.Context) inventory.HostID {
	w, _ := ctx.Value(callerKey{}).(identity)
	return w.host
}

// web is one HTTP server whose connections are SSH channels.
type web struct {
	http *http.Server
	next chan net.Conn
	done chan struct{}
	once sync.Once
}

func (s *Server) web(ctx context.Context) *web {
	w := &web{next: make(chan net.Conn), done: make(chan struct{})}
	w.http = &http.Server{
		Handler:           narrow(s.Handler),
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      requestTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log().Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, callerKey{}, c.(*channelConn).who)
		},
	}
	return w
}

// narrow lets a key that is not enrolled reach nothing but enrolment.
func narrow(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := r.Context().Value(callerKey{}).(identity)
		if id.user != protocol.SSHAgent && r.URL.Path != protocol.PathEnroll {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"error":"this key is not enrolled","hint":"enrol with plumb-agent enroll TOKEN"}`+"\n")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (w *web) serve() { _ = w.http.Serve(w) } // it ends when close was called, never else

func (w *web) close() {
	w.once.Do(func() { close(w.done) })
	_ = w.http.Close()
}

// Accept, Close and Addr make the web its own listener.
func (w *web) Accept() (net.Conn, error) {
	select {
	case c := <-w.next:
		return c, nil
	case <-w.done:
		return nil, net.ErrClosed
	}
}

func (w *web) Close() error { w.once.Do(func() { close(w.done) }); return nil }

func (w *web) Addr() net.Addr { return &net.UnixAddr{Name: "ssh", Net: "unix"} }

// channelConn is the near end of a pipe to a channel. net/http needs deadlines, which an SSH
// channel does not have and a pipe does.
type channelConn struct {
	net.Conn
	who    identity
	remote net.Addr
}

func (c *channelConn) RemoteAddr() net.Addr { return c.remote }

// take serves HTTP on the channel until either side ends it.
func (w *web) take(ctx context.Context, ch ssh.Channel, c *session) {
	near, far := net.Pipe()
	defer far.Close()
	stop := context.AfterFunc(ctx, func() { far.Close(); ch.Close() })
	defer stop()
	select {
	case w.next <- &channelConn{Conn: near, who: c.who, remote: c.conn.RemoteAddr()}:
	case <-w.done:
		return
	case <-ctx.Done():
		return
	}
	go func() {
		_, _ = io.Copy(far, ch) // ends when the client hangs up
		far.Close()
	}()
	_, _ = io.Copy(ch, far) // ends when net/http hangs up
	ch.Close()
}
