package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"plumb/agent/protocol"
)

// SocketName is the unix socket in the server's data folder.
const SocketName = "plumb.sock"

// Client talks to a server for the command line.
type Client struct {
	http  *http.Client
	base  string
	token string
	where string
}

// clientPatience is how long a command waits for its server.
const clientPatience = 60 * time.Second

// LocalClient reaches the server whose data folder it is, as its administrator.
func LocalClient(data string) *Client {
	path := filepath.Join(data, SocketName)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	return &Client{
		http:  &http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: clientPatience},
		base:  "http://local",
		where: path,
	}
}

// RemoteClient reaches a server over TLS with a person's API token. The file holds the
// server's CA certificate; without one the system's roots are used.
func RemoteClient(addr, token, caFile string) (*Client, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS13}
	if caFile != "" {
		raw, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("cannot read PLUMB_CACERT: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(raw) {
			return nil, fmt.Errorf("PLUMB_CACERT=%s holds no PEM certificate", caFile)
		}
	}
	return &Client{
		http:  &http.Client{Transport: &http.Transport{TLSClientConfig: conf}, Timeout: clientPatience},
		base:  "https://" + addr,
		token: token,
		where: addr,
	}, nil
}

// Refusal is an error that the server answered with.
type Refusal struct {
	Code int
	protocol.Problem
}

func (r *Refusal) Error() string { return r.Problem.Error }

// Unreachable means that no server answered.
type Unreachable struct {
	Where string
	Err   error
}

func (u *Unreachable) Error() string {
	return fmt.Sprintf("cannot reach the server at %s: %v", u.Where, u.Err)
}

// Hint tells what may help.
func (u *Unreachable) Hint() string {
	if errors.Is(u.Err, fs.ErrNotExist) {
		return "start `plumb server`, or name its folder with --data DIR, or set PLUMB_ADDR, PLUMB_TOKEN and PLUMB_CACERT"
	}
	if errors.Is(u.Err, fs.ErrPermission) {
		return "the socket is for the server's own user; set PLUMB_ADDR and PLUMB_TOKEN to come in over the network"
	}
	return "is `plumb server` running there?"
}

// Call sends a JSON body, if there is one, and reads the JSON answer, if it is wanted.
func (c *Client) Call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		raw, is := in.(json.RawMessage) // a large file is not copied
		if !is {
			var err error
			if raw, err = json.Marshal(in); err != nil {
				return fmt.Errorf("cannot encode the request: %w", err)
			}
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("cannot make the request: %w", err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return &Unreachable{Where: c.where, Err: withoutURL(err)}
	}
	defer resp.Body.Close()
	return readAnswer(resp, out)
}

// withoutURL drops the made-up address that a request over the socket has.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func readAnswer(resp *http.Response, out any) error {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 256<<20))
	if err != nil {
		return fmt.Errorf("cannot read the server's answer: %w", err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		refusal := &Refusal{Code: resp.StatusCode}
		if json.Unmarshal(raw, &refusal.Problem) != nil || refusal.Problem.Error == "" {
			refusal.Problem.Error = "the server answered " + resp.Status
		}
		return refusal
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("cannot understand the server's answer: %w", err)
	}
	return nil
}

// SocketHTTP is a plain HTTP client of the socket in a server's data folder.
func SocketHTTP(data string) *http.Client { return LocalClient(data).http }
