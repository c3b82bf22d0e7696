package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"plumb/agent/protocol"
)

// line is one connection of a host. It is plainer than a client of net/http, so that what is
// measured on the same cores is the server.
type line struct {
	conn net.Conn
	r    *bufio.Reader
}

// patience is how long a host waits for an answer, and for a connection.
const patience = 60 * time.Second

// dial opens a connection from the source address, or from any when it is nil.
func dial(ctx context.Context, address string, source net.Addr, conf *tls.Config) (*line, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	raw, err := (&net.Dialer{LocalAddr: source}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot connect: %w", err)
	}
	conn := tls.Client(raw, conf)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("cannot shake hands: %w", err)
	}
	return &line{conn: conn, r: bufio.NewReader(conn)}, nil
}

func (l *line) close() { _ = l.conn.Close() }

// answer is what a server said.
type answer struct {
	code int
	// after is how long it asks to stay away, 0 when it does not.
	after time.Duration
	body  []byte
}

// exchange sends a whole request and reads the answer.
func (l *line) exchange(req []byte) (answer, error) {
	if err := l.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return answer{}, err
	}
	if _, err := l.conn.Write(req); err != nil {
		return answer{}, fmt.Errorf("cannot send: %w", err)
	}
	resp, err := http.ReadResponse(l.r, nil)
	if err != nil {
		return answer{}, fmt.Errorf("cannot read the answer: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, protocol.MaxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("cannot read the answer: %w", err)
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // 0 when there is none
	return answer{code: resp.StatusCode, after: time.Duration(seconds) * time.Second, body: body}, nil
}

// request makes the bytes of a request.
func request(method, path, encoding string, body []byte) []byte {
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: plumb-load\r\nContent-Type: application/json\r\nContent-Length: %d\r\n",
		method, path, protocol.ServerName, len(body))
	if encoding != "" {
		head += "Content-Encoding: " + encoding + "\r\n"
	}
	return append([]byte(head+"\r\n"), body...)
}

// source spreads hosts over loopback addresses: servers count strangers by address, and each
// address has ports of its own.
func source(i int) net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, byte(1+i/250/250%250), byte(1+i/250%250), byte(1+i%250))}
}
