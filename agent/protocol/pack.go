package protocol

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Pack compresses an object for the wire, by gzip.
func Pack(raw []byte) ([]byte, error) {
	var b bytes.Buffer
	z, _ := packers.Get().(*gzip.Writer)
	if z == nil {
		z = gzip.NewWriter(&b)
	}
	defer packers.Put(z)
	z.Reset(&b)
	if _, err := z.Write(raw); err != nil {
		return nil, fmt.Errorf("cannot pack an object: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("cannot pack an object: %w", err)
	}
	return b.Bytes(), nil
}

// ErrLarge means that more would come out of a packed object than may.
var ErrLarge = errors.New("the object is too large")

// Unpack is the way back. No more than most bytes come out, and no more memory is taken than what did
// come out needs: a small body cannot become a large one.
func Unpack(packed []byte, most int) ([]byte, error) {
	var raw bytes.Buffer
	raw.Grow(min(usualRatio*len(packed), most) + bytes.MinRead)
	if err := UnpackInto(&raw, packed, most); err != nil {
		return nil, err
	}
	return raw.Bytes(), nil
}

// UnpackInto is Unpack into an empty buffer, which may be one that was used before.
func UnpackInto(raw *bytes.Buffer, packed []byte, most int) error {
	z, _ := unpackers.Get().(*gzip.Reader)
	if z == nil {
		z = &gzip.Reader{}
	}
	defer unpackers.Put(z)
	if err := z.Reset(bytes.NewReader(packed)); err != nil {
		return fmt.Errorf("it is not gzip: %w", err)
	}
	if _, err := raw.ReadFrom(io.LimitReader(z, int64(most)+1)); err != nil {
		return fmt.Errorf("cannot unpack it: %w", err)
	}
	if raw.Len() > most {
		return fmt.Errorf("%w: %d bytes are the most", ErrLarge, most)
	}
	return nil
}

// usualRatio is how much longer than its packed form a result is, as a rule.
const usualRatio = 12

// Writers and readers that wait to be used again: each has large tables.
var packers, unpackers sync.Pool
