package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"plumb/agent/protocol"
)

// Limits of a download: how often it is taken up again where it broke off, how long
// one try may take, and how long a stream may say nothing.
const (
	bundleTries   = 5
	bundleTimeout = 10 * time.Minute
	stallTimeout  = 60 * time.Second
)

// Bundle fetches the bundle of that digest, which the signed tag says has size bytes. A download
// that breaks off goes on where it stopped. Nothing of it is verified yet.
func (c *Client) Bundle(ctx context.Context, digest string, size int64) ([]byte, error) {
	var got []byte
	var last error
	for range bundleTries {
		more, err := c.part(ctx, digest, int64(len(got)), size)
		got = append(got, more...)
		if err == nil && int64(len(got)) == size {
			return got, nil
		}
		if err == nil {
			err = fmt.Errorf("the bundle has %d bytes instead of %d", len(got), size)
		}
		var refused *Refused
		if errors.As(err, &refused) || errors.Is(err, errTooLong) || ctx.Err() != nil {
			return nil, err
		}
		last = err
	}
	return nil, fmt.Errorf("cannot fetch the bundle: %w", last)
}

// part returns the bytes from an offset on, as many as came before an error.
func (c *Client) part(ctx context.Context, digest string, from, size int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, bundleTimeout)
	defer cancel()
	req, err := c.request(ctx, http.MethodGet, protocol.PathBundles+digest, nil)
	if err != nil {
		return nil, err
	}
	if from > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the server: %w", err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusPartialContent && from > 0:
	case resp.StatusCode == http.StatusOK:
		if _, err := io.CopyN(io.Discard, resp.Body, from); err != nil { // it does not know ranges
			return nil, fmt.Errorf("cannot read the bundle: %w", err)
		}
	default:
		return nil, refusal(resp)
	}
	return readStream(&steady{resp.Body, time.AfterFunc(stallTimeout, cancel)}, size-from)
}

// readStream is readUpTo that keeps what came before an error.
func readStream(r io.Reader, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("%w: %d bytes are the most", errTooLong, limit)
	}
	return raw, err
}

// steady ends a stream from which nothing comes for too long.
type steady struct {
	io.Reader
	stall *time.Timer
}

func (s *steady) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if n > 0 {
		s.stall.Reset(stallTimeout)
	}
	if err != nil {
		s.stall.Stop()
	}
	return n, err
}
