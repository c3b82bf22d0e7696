package transport

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"plumb/agent/protocol"
)

// SSH returns a client of the SSH endpoint at address (host:port). hostKey is the server's only
// key, as in authorized_keys; user is [protocol.SSHAgent] or [protocol.SSHEnroll].
func SSH(address, hostKey, user string, key ssh.Signer) (*Client, error) {
	pinned, _, _, _, err := ssh.ParseAuthorizedKey([]byte(hostKey))
	if err != nil {
		return nil, fmt.Errorf("the pinned SSH host key is damaged: %w", err)
	}
	return overSSH(address, &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: ssh.FixedHostKey(pinned), HostKeyAlgorithms: []string{pinned.Type()},
		ClientVersion: "SSH-2.0-plumb-agent", Timeout: dialTimeout,
	}), nil
}

func overSSH(address string, config *ssh.ClientConfig) *Client {
	l := &sshLink{address: address, turn: make(chan struct{}, 1), config: config}
	t := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return l.open(ctx) }}
	c := newClient("http://"+protocol.ServerName, t, l.drop)
	c.again = func() *Client { return overSSH(address, config) }
	return c
}

// sshLink is one SSH connection, made when it is needed and made again when it broke.
type sshLink struct {
	address string
	config  *ssh.ClientConfig
	turn    chan struct{} // who opens a channel holds it; who waits for it does so no longer than their own context

	mu     sync.Mutex
	client *ssh.Client
}

// open returns a new channel as a connection.
func (l *sshLink) open(ctx context.Context) (net.Conn, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if client := l.current(); client != nil {
		if conn, err := channel(client); err == nil {
			return conn, nil
		}
		l.drop() // it broke since
	}
	client, err := l.dial(ctx)
	if err != nil {
		return nil, err
	}
	l.replace(client)
	return channel(client)
}

func (l *sshLink) dial(ctx context.Context) (*ssh.Client, error) {
	raw, err := newDialer().DialContext(ctx, "tcp", l.address)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	_ = raw.SetDeadline(time.Now().Add(shakeTimeout)) // real time: it bounds a system call
	conn, channels, requests, err := ssh.NewClientConn(raw, l.address, l.config)
	if err != nil {
		raw.Close()
		return nil, err
	}
	_ = raw.SetDeadline(time.Time{})
	return ssh.NewClient(conn, channels, requests), nil
}

// channel opens one. A client that does not answer in time is closed, for nothing else would end
// the wait.
func channel(client *ssh.Client) (net.Conn, error) {
	late := time.AfterFunc(dialTimeout, func() { client.Close() })
	defer late.Stop()
	ch, requests, err := client.OpenChannel(protocol.SSHChannel, nil)
	if err != nil {
		return nil, fmt.Errorf("the server's SSH endpoint opens no channel: %w", err)
	}
	go ssh.DiscardRequests(requests)
	return &channelConn{Channel: ch, client: client}, nil
}

func (l *sshLink) current() *ssh.Client {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.client
}

// replace closes the client that there is and puts another one, or none, in its place.
func (l *sshLink) replace(client *ssh.Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client != nil {
		l.client.Close()
	}
	l.client = client
}

func (l *sshLink) drop() { l.replace(nil) }

// channelConn is a channel as net/http wants a connection. Deadlines are not needed on
// this side: net/http ends a call by closing its connection.
type channelConn struct {
	ssh.Channel
	client *ssh.Client
	ended  atomic.Bool
}

// closeTimeout is how long the other end has to say that it closed a channel, too.
const closeTimeout = time.Second

// Close ends the channel, and the whole connection when nobody heard that the other end did so, too: over a line
// that fell silent nothing else would end a Read.
func (c *channelConn) Close() error {
	time.AfterFunc(closeTimeout, func() {
		if !c.ended.Load() {
			c.client.Close()
		}
	})
	return c.Channel.Close()
}

func (c *channelConn) Read(p []byte) (int, error) {
	n, err := c.Channel.Read(p)
	if err != nil {
		c.ended.Store(true)
	}
	return n, err
}

func (c *channelConn) LocalAddr() net.Addr              { return c.client.LocalAddr() }
func (c *channelConn) RemoteAddr() net.Addr             { return c.client.RemoteAddr() }
func (c *channelConn) SetDeadline(time.Time) error      { return nil }
func (c *channelConn) SetReadDeadline(time.Time) error  { return nil }
func (c *channelConn) SetWriteDeadline(time.Time) error { return nil }
