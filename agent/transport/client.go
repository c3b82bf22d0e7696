// Package transport carries the protocol from an agent to its server, over HTTPS or over SSH.
//
// Both give the same client: over SSH every channel is a connection to the same handler. A
// client believes one authority, or one SSH host key, and nothing else; it follows no redirect,
// and reads no more of an answer than the protocol allows.
package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"plumb/agent/protocol"
)

// Client speaks to one server.
type Client struct {
	http  *http.Client
	base  string
	close func()
	// again makes a client with a connection of its own; nil where calls at the same time have their own anyway.
	again func() *Client
}

// Refused is a server's answer that is not a success.
type Refused struct {
	// Code is the HTTP status.
	Code int
	// Problem is what the server says about it.
	Problem protocol.Problem
	// RetryAfter is how long the server asks us to stay away; 0 when it does not.
	RetryAfter time.Duration
}

// Error says what the server said.
func (r *Refused) Error() string {
	if r.Problem.Error == "" {
		return fmt.Sprintf("the server answered %d %s", r.Code, http.StatusText(r.Code))
	}
	return fmt.Sprintf("the server refused: %s (%d)", r.Problem.Error, r.Code)
}

// Limits of one exchange. A body may take longer than its headers, but not for ever.
const (
	dialTimeout   = 10 * time.Second
	shakeTimeout  = 20 * time.Second // a handshake has the time to lose a few packets
	headerTimeout = 60 * time.Second
	callTimeout   = 2 * time.Minute
)

func newClient(base string, t *http.Transport, closer func()) *Client {
	t.TLSHandshakeTimeout, t.ResponseHeaderTimeout = shakeTimeout, headerTimeout
	t.MaxIdleConns, t.IdleConnTimeout = 2, 30*time.Second
	t.MaxResponseHeaderBytes, t.DisableCompression = 64<<10, true
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{http: &http.Client{Transport: t, CheckRedirect: refuse}, base: base, close: closer}
}

// Close ends the connections that are idle.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	if c.close != nil {
		c.close()
	}
}

// another returns a client to use at the same time, and what ends it.
func (c *Client) another() (*Client, func()) {
	if c.again == nil {
		return c, func() {}
	}
	one := c.again()
	return one, one.Close
}

// CheckIn reports to the server and returns its answer.
func (c *Client) CheckIn(ctx context.Context, in protocol.CheckIn) (out protocol.Answer, err error) {
	return out, c.post(ctx, protocol.PathCheckIn, in, &out)
}

// Enroll asks for an identity.
func (c *Client) Enroll(ctx context.Context, in protocol.Enrollment) (out protocol.Enrolled, err error) {
	return out, c.post(ctx, protocol.PathEnroll, in, &out)
}

// Renew asks for a new certificate.
func (c *Client) Renew(ctx context.Context, in protocol.Renewal) (out protocol.Enrolled, err error) {
	return out, c.post(ctx, protocol.PathRenew, in, &out)
}

func (c *Client) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("cannot encode the request: %w", err)
	}
	req, err := c.request(ctx, http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	return c.exchange(req, out)
}

// exchange sends a request and reads the JSON of the answer.
func (c *Client) exchange(req *http.Request, out any) error {
	raw, err := c.do(req, protocol.MaxAnswer)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("cannot read the server's answer: %w", err)
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("cannot make the request: %w", err)
	}
	return req, nil
}

// do returns the body of a success, limit bytes at most.
func (c *Client) do(req *http.Request, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(req.Context(), callTimeout)
	defer cancel()
	resp, err := c.http.Do(req.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("cannot reach the server: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, refusal(resp)
	}
	return readUpTo(resp.Body, limit)
}

var errTooLong = errors.New("the server's answer is too long")

func readUpTo(r io.Reader, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the server's answer: %w", err)
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("%w: %d bytes are the most", errTooLong, limit)
	}
	return raw, nil
}

func refusal(resp *http.Response) error {
	r := &Refused{Code: resp.StatusCode}
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 16<<10)) // what cannot be read says nothing
	_ = json.Unmarshal(raw, &r.Problem)
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		r.RetryAfter = time.Duration(min(seconds, 24*3600)) * time.Second
	}
	return r
}
