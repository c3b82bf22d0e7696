package transport

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"plumb/agent/protocol"
	"plumb/agent/testserver"
	"plumb/inventory"
)

// pipes is a listener inside of this program, for tests with a clock of their own.
type pipes struct {
	next chan net.Conn
	done chan struct{}
	once sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.next:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	p.next <- far
	return near, nil
}

// F20: a stream that falls silent is given up and asked for anew; one that only drips is not.
func TestSilentStreamsAreGivenUp(t *testing.T) {
	for name, c := range map[string]struct {
		pause time.Duration // before each of 20 KiB
		tries int
		after time.Duration
	}{
		"silent":   {time.Hour, idleTries, idleTries * stallTimeout},
		"dripping": {stallTimeout - time.Second, 1, 20 * (stallTimeout - time.Second)},
		"for ever": {40 * time.Second, idleTries, idleTries * stallTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				line := &pipes{next: make(chan net.Conn), done: make(chan struct{})}
				tries := 0
				web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					tries++
					w.Header().Set("Content-Length", "20480")
					w.(http.Flusher).Flush()
					for range 20 {
						select {
						case <-time.After(c.pause):
						case <-r.Context().Done():
							return
						}
						_, _ = w.Write(make([]byte, 1024))
						w.(http.Flusher).Flush()
					}
				})}
				go web.Serve(line)
				client := newClient("http://x", &http.Transport{DialContext: line.dial}, nil)
				begun := time.Now()
				_, err := client.Bundle(t.Context(), "", 20480, nil)
				if took := time.Since(begun); err == nil || tries != c.tries || took != c.after {
					t.Errorf("Bundle = %v after %d tries and %s, want %d and %s", err, tries, took, c.tries, c.after)
				}
				client.Close()
				web.Close()
			})
		})
	}
}

// F20: once a stream fell silent, the rest comes in pieces over several connections, and nothing twice. A piece whose stream
// falls silent, too, goes on from where it was.
func TestSilentLinesAreSharedBySeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := &pipes{next: make(chan net.Conn), done: make(chan struct{})}
		whole := bytes.Repeat([]byte("0123456789abcdef"), 20<<10) // 320 KiB
		var mu sync.Mutex
		var wanted []string
		sent, open, most := 0, 0, 0
		web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			n := len(wanted)
			wanted = append(wanted, r.Header.Get("Range"))
			open++
			most = max(most, open)
			mu.Unlock()
			defer func() { mu.Lock(); open--; mu.Unlock() }()
			rec := httptest.NewRecorder()
			http.ServeContent(rec, r, "", time.Time{}, bytes.NewReader(whole))
			maps.Copy(w.Header(), rec.Header())
			w.WriteHeader(rec.Code)
			body := rec.Body.Bytes()
			if n == 0 || n == 2 { // the first one, and a piece
				body = body[:10<<10]
			}
			mu.Lock()
			sent += len(body)
			mu.Unlock()
			_, _ = w.Write(body)
			w.(http.Flusher).Flush()
			time.Sleep(time.Second) // so that several are open at the same time
			if n == 0 || n == 2 {
				<-r.Context().Done()
			}
		})}
		go web.Serve(line)
		client := newClient("http://x", &http.Transport{DialContext: line.dial}, nil)
		got, err := client.Bundle(t.Context(), inventory.Digest(whole), int64(len(whole)), nil)
		if err != nil || !bytes.Equal(got, whole) {
			t.Errorf("Bundle = %d bytes, %v; want %d", len(got), err, len(whole))
		}
		if most != streams || sent != len(whole) {
			t.Errorf("%d streams at once and %d bytes, want %d and %d: %v", most, sent, streams, len(whole), wanted)
		}
		client.Close()
		time.Sleep(2 * time.Second) // until nobody answers any more
		web.Close()
	})
}

// Each stream over SSH has a connection of its own: they would all wait for the one.
func TestStreamsOverSSHShareNoConnection(t *testing.T) {
	c := overSSH("127.0.0.1:1", anyHost())
	one, end := c.another()
	defer end()
	if one == c || one.http.Transport == c.http.Transport {
		t.Error("two streams over SSH share a connection")
	}
}

// eager is an end of a pipe that does not wait until the other end reads: both greet first.
type eager struct {
	net.Conn
	out  chan []byte
	done chan struct{}
	once sync.Once
	lost atomic.Bool // nothing that is written arrives any more
}

func newEager(conn net.Conn) *eager {
	e := &eager{Conn: conn, out: make(chan []byte, 100), done: make(chan struct{})}
	go func() {
		for {
			select {
			case p := <-e.out:
				_, _ = conn.Write(p)
			case <-e.done:
				return
			}
		}
	}()
	return e
}

func (e *eager) Write(p []byte) (int, error) {
	if e.lost.Load() {
		return len(p), nil
	}
	select {
	case e.out <- bytes.Clone(p):
		return len(p), nil
	case <-e.done:
		return 0, net.ErrClosed
	}
}

func (e *eager) Close() error {
	e.once.Do(func() { close(e.done) })
	return e.Conn.Close()
}

// mute is an SSH server that lets everybody in and then says nothing; it notes when it is asked.
func mute(t *testing.T, conn net.Conn, asked chan<- struct{}) {
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(testserver.NewKey(t))
	_, channels, _, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	for range channels {
		asked <- struct{}{}
	}
}

func anyHost() *ssh.ClientConfig {
	return &ssh.ClientConfig{User: protocol.SSHAgent, HostKeyCallback: ssh.InsecureIgnoreHostKey()}
}

func TestChannelThatNobodyOpensIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go mute(t, far, make(chan struct{}, 1))
		conn, channels, requests, err := ssh.NewClientConn(newEager(near), "", anyHost())
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if _, err := channel(ssh.NewClient(conn, channels, requests)); err == nil || time.Since(begun) != dialTimeout {
			t.Errorf("channel = %v after %s, want an error after %s", err, time.Since(begun), dialTimeout)
		}
	})
}

// A stream over SSH ends also when nothing goes through any more, not even the word that it is closed.
func TestSilentChannelsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go func() {
			config := &ssh.ServerConfig{NoClientAuth: true}
			config.AddHostKey(testserver.NewKey(t))
			_, channels, _, err := ssh.NewServerConn(far, config)
			if err != nil {
				return
			}
			for one := range channels {
				ch, requests, _ := one.Accept()
				go ssh.DiscardRequests(requests)
				_, _ = ch.Write([]byte("x"))
			}
		}()
		line := newEager(near)
		conn, channels, requests, err := ssh.NewClientConn(line, "", anyHost())
		if err != nil {
			t.Fatal(err)
		}
		stream, err := channel(ssh.NewClient(conn, channels, requests))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		line.lost.Store(true)
		begun := time.Now()
		time.AfterFunc(stallTimeout, func() { stream.Close() })
		late := time.AfterFunc(time.Hour, func() { line.Close() })
		defer late.Stop()
		if _, err := stream.Read(make([]byte, 1)); err == nil || time.Since(begun) != stallTimeout+closeTimeout {
			t.Errorf("Read = %v after %s, want an error after %s", err, time.Since(begun), stallTimeout+closeTimeout)
		}
		line.Close()
	})
}

// Nobody hangs behind a call that waits for the server's SSH endpoint.
func TestNobodyWaitsForAChannelOfAnother(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	asked := make(chan struct{}, 10)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go mute(t, conn, asked)
		}
	}()
	l := &sshLink{address: ln.Addr().String(), config: anyHost(), turn: make(chan struct{}, 1)}
	first := make(chan error, 1)
	go func() {
		_, err := l.open(t.Context())
		first <- err
	}()
	<-asked
	others := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := l.open(ctx)
		l.drop()
		others <- err
	}()
	select {
	case err := <-others:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("open = %v, want that it was cancelled", err)
		}
	case <-time.After(5 * time.Second): // half of what the first one waits
		t.Error("a call with a context that has ended waits for another")
	}
	ln.Close()
	l.drop()
	if err := <-first; err == nil {
		t.Error("a server that says nothing opened a channel")
	}
}

// socketOptions returns those of this program's sockets to that port.
func socketOptions(t *testing.T, port int) (userTimeout, keepIdle int) {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range open {
		fd, _ := strconv.Atoi(filepath.Base(one.Name()))
		if peer, err := unix.Getpeername(fd); err == nil {
			if at, ok := peer.(*unix.SockaddrInet4); ok && at.Port == port {
				userTimeout, _ = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
				if on, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE); on == 1 {
					keepIdle, _ = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
				}
				return userTimeout, keepIdle
			}
		}
	}
	t.Fatalf("there is no connection to port %d", port)
	return 0, 0
}

// F20: the kernel ends a connection whose other end is gone, over both transports.
func TestDeadConnectionsAreGivenUp(t *testing.T) {
	for name, connect := range map[string]func(address string) (net.Conn, error){
		"https": func(address string) (net.Conn, error) {
			return EnrollHTTPS(address, "", time.Now).http.Transport.(*http.Transport).DialContext(t.Context(), "tcp", "")
		},
		"ssh": func(address string) (net.Conn, error) {
			l := &sshLink{address: address, config: anyHost(), turn: make(chan struct{}, 1)}
			client, err := l.dial(t.Context())
			if err != nil {
				return nil, err
			}
			return &channelConn{client: client}, nil
		},
	} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if conn, err := ln.Accept(); err == nil {
				mute(t, conn, nil)
			}
		}()
		if _, err := connect(ln.Addr().String()); err != nil {
			t.Fatal(err)
		}
		timeout, idle := socketOptions(t, ln.Addr().(*net.TCPAddr).Port)
		if timeout != 50_000 || idle != 13 {
			t.Errorf("%s: given up after %d ms, asked after %d s; want 50000 and 13", name, timeout, idle)
		}
		ln.Close()
	}
}
