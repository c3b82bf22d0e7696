package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"plumb/inventory"
)

// Limits of a download. As long as its tries get on it has as many as it needs, and what is not
// there when its time is over waits for the next call: until then nothing else is done on the host.
// A stream that says nothing is given up soon. On a line that loses many packets TCP waits twice as
// long after each loss, up to minutes, and a new connection does not.
const (
	idleTries    = 5
	leastGain    = 1 << 10 // bytes
	downloadTime = 10 * time.Minute
	stallTimeout = 5 * time.Second
)

// ErrWrong means that what came does not have the digest that was asked for.
var ErrWrong = errors.New("the server sent something else")

// ErrUnfinished means that a part of a download came, and the next call goes on from there.
var ErrUnfinished = errors.New("only a part of it came so far")

// download is one under way. Nothing of it is believed before the digest of the whole is right.
type download struct {
	client       *Client
	path, digest string
	limit        int64    // the most that it may have, in bytes
	part         *os.File // where lies what came so far, or nil
	got          []byte
	old          bool // some of it came in an earlier call, and may have rotted since
}

func (c *Client) download(ctx context.Context, path, digest string, limit int64, part *os.File) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, downloadTime)
	defer cancel()
	d := &download{client: c, path: path, digest: digest, limit: limit, part: part}
	d.load()
	from := len(d.got)
	err := d.run(ctx)
	if err == nil {
		return d.got, nil
	}
	if len(d.got) > from {
		err = fmt.Errorf("%w (%d bytes): %w", ErrUnfinished, len(d.got), err)
	}
	return nil, fmt.Errorf("cannot fetch %s: %w", path, err)
}

// run tries until the whole is there, a try is of no use, or several in a row brought nothing.
func (d *download) run(ctx context.Context) error {
	if d.old && d.whole() == nil {
		return nil
	}
	for idle := 0; ; {
		before := len(d.got)
		err := d.try(ctx)
		if err == nil {
			return nil
		}
		old := d.old
		if rotten(err) {
			d.restart()
		}
		if rotten(err) && old {
			continue
		}
		if idle++; len(d.got)-before >= leastGain {
			idle = 0
		}
		if idle == idleTries || final(err) || ctx.Err() != nil {
			return err
		}
		d.client.Close() // over SSH a new channel would stand behind what the old one left on the way
	}
}

// rotten tells whether what is there can be no part of the whole.
func rotten(err error) bool {
	var refused *Refused
	return errors.Is(err, ErrWrong) || errors.Is(err, errTooLong) || errors.As(err, &refused) && refused.Code == http.StatusRequestedRangeNotSatisfiable
}

func final(err error) bool {
	var refused *Refused
	return rotten(err) || errors.As(err, &refused)
}

// try asks for what is missing, and keeps what comes before an error.
func (d *download) try(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := d.client.request(ctx, http.MethodGet, d.path, nil)
	if err != nil {
		return err
	}
	from := int64(len(d.got))
	if from > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	resp, err := d.client.http.Do(req)
	if err != nil {
		return fmt.Errorf("cannot reach the server: %w", err)
	}
	defer resp.Body.Close()
	body := &steady{resp.Body, time.AfterFunc(stallTimeout, cancel)}
	defer body.stall.Stop()
	switch {
	case resp.StatusCode == http.StatusPartialContent && from > 0:
	case resp.StatusCode == http.StatusOK:
		if _, err := io.CopyN(io.Discard, body, from); err != nil { // it does not know ranges
			return fmt.Errorf("cannot read the answer: %w", err)
		}
	default:
		return refusal(resp)
	}
	if err := d.drain(body); err != nil {
		return err
	}
	return d.whole()
}

// drain keeps what a stream brings, as it comes: this program may be killed meanwhile.
func (d *download) drain(r io.Reader) error {
	chunk := make([]byte, 32<<10)
	for {
		n, err := r.Read(chunk)
		d.keep(chunk[:n])
		if int64(len(d.got)) > d.limit {
			return fmt.Errorf("%w: %d bytes are the most", errTooLong, d.limit)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot read the answer: %w", err)
		}
	}
}

func (d *download) whole() error {
	if have := inventory.Digest(d.got); have != d.digest {
		return fmt.Errorf("%w: %d bytes with the digest %.12s", ErrWrong, len(d.got), have)
	}
	return nil
}

func (d *download) load() {
	if d.part == nil {
		return
	}
	got, err := io.ReadAll(io.LimitReader(d.part, d.limit+1))
	if err != nil || int64(len(got)) > d.limit {
		d.restart()
		return
	}
	d.got, d.old = got, len(got) > 0
}

// keep adds bytes. When the disk does not take them the file is left as it is, for it may have no
// gap: the download goes on without it.
func (d *download) keep(p []byte) {
	d.got = append(d.got, p...)
	if d.part == nil {
		return
	}
	if _, err := d.part.Write(p); err != nil {
		d.part = nil
	}
}

// restart throws away what came so far.
func (d *download) restart() {
	d.got, d.old = nil, false
	if d.part != nil && d.part.Truncate(0) != nil {
		d.part = nil
	}
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
	return n, err
}
