package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
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
	return c.whole(ctx, protocol.PathBundles+digest, size, func(got []byte) error {
		if int64(len(got)) != size {
			return fmt.Errorf("the bundle has %d bytes instead of %d", len(got), size)
		}
		return nil
	})
}

// Set fetches the patch set of that digest and verifies that it is the one; what is in it was
// not read yet. A download that breaks off goes on where it stopped.
func (c *Client) Set(ctx context.Context, digest string) ([]byte, error) {
	return c.whole(ctx, protocol.PathSets+digest, protocol.MaxObject, func(got []byte) error {
		if have := inventory.Digest(got); have != digest {
			return fmt.Errorf("%w: it has the digest %.12s", errWrong, have)
		}
		return nil
	})
}

var errWrong = errors.New("the server sent something else")

// whole fetches what lies at a path, until complete finds nothing missing. The limit is in bytes.
func (c *Client) whole(ctx context.Context, path string, limit int64, complete func([]byte) error) ([]byte, error) {
	var got []byte
	var last error
	for range bundleTries {
		more, err := c.part(ctx, path, int64(len(got)), limit)
		got = append(got, more...)
		if err == nil {
			if err = complete(got); err == nil {
				return got, nil
			}
		}
		var refused *Refused
		if errors.As(err, &refused) || errors.Is(err, errTooLong) || errors.Is(err, errWrong) || ctx.Err() != nil {
			return nil, fmt.Errorf("cannot fetch %s: %w", path, err)
		}
		last = err
	}
	return nil, fmt.Errorf("cannot fetch %s: %w", path, last)
}

// part returns the bytes from an offset on, as many as came before an error.
func (c *Client) part(ctx context.Context, path string, from, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, bundleTimeout)
	defer cancel()
	req, err := c.request(ctx, http.MethodGet, path, nil)
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
			return nil, fmt.Errorf("cannot read the answer: %w", err)
		}
	default:
		return nil, refusal(resp)
	}
	return readStream(&steady{resp.Body, time.AfterFunc(stallTimeout, cancel)}, limit-from)
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
