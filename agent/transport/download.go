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

// errSilent means that a stream said nothing for too long.
var errSilent = errors.New("nothing came for a while")

// download is one under way. Nothing of it is believed before the digest of the whole is right.
type download struct {
	client       *Client
	path, digest string
	limit        int64    // the most that it may have, in bytes
	part         *os.File // where lies what came so far, or nil
	got          []byte
	old          bool // some of it came in an earlier call, and may have rotted since
	// Of a piece, from and to are where it begins and ends in the whole; 0 of the whole.
	from, to int64
	size     int64 // of the whole as the server says it, 0 before it does
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
	step := d.try
	for idle := 0; ; {
		before := len(d.got)
		err := step(ctx)
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
		if step = d.try; errors.Is(err, errSilent) && d.inPieces() {
			step = d.together
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
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err := d.ask(ctx, time.AfterFunc(d.patience(), func() { cancel(errSilent) }))
	if err == nil {
		err = d.whole()
	}
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		err = fmt.Errorf("%w: %w", errSilent, err)
	}
	return err
}

// patience is how long the first byte of an answer may take. A piece is asked for over a line that is known to be bad.
func (d *download) patience() time.Duration {
	if d.to > 0 {
		return 3 * stallTimeout
	}
	return dialTimeout + shakeTimeout + headerTimeout
}

func (d *download) ask(ctx context.Context, stall *time.Timer) error {
	defer stall.Stop()
	req, err := d.client.request(ctx, http.MethodGet, d.path, nil)
	if err != nil {
		return err
	}
	have := int64(len(d.got))
	if d.to > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", d.from+have, d.to-1))
	} else if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	resp, err := d.client.http.Do(req)
	if err != nil {
		return fmt.Errorf("cannot reach the server: %w", err)
	}
	defer resp.Body.Close()
	stall.Reset(stallTimeout)
	body := &steady{resp.Body, stall}
	switch {
	case resp.StatusCode == http.StatusPartialContent && d.from+have+d.to > 0:
	case resp.StatusCode == http.StatusOK && d.to == 0:
		if _, err := io.CopyN(io.Discard, body, have); err != nil { // it does not know ranges
			return fmt.Errorf("cannot read the answer: %w", err)
		}
	default:
		return refusal(resp)
	}
	if d.size = resp.ContentLength; resp.StatusCode == http.StatusPartialContent {
		d.size += have
	}
	return d.drain(body)
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

// whole tells whether all came: of a piece all its bytes, and of the whole the right ones.
func (d *download) whole() error {
	if d.to > 0 && int64(len(d.got)) != d.to-d.from {
		return fmt.Errorf("%w: %d bytes from %d on", ErrWrong, len(d.got), d.from)
	}
	if d.to > 0 {
		return nil
	}
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
