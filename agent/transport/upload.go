package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	"plumb/agent/protocol"
)

// An object that is larger than one piece is sent in pieces, so that a line that breaks off, or falls silent,
// costs one of them and not all. After one that did not get through they are smaller, and larger again, little by little, after those that did.
const (
	uploadPiece   = 16 << 10
	smallestPiece = 2 << 10
)

// Put sends an object that the server wants, gzipped.
func (c *Client) Put(ctx context.Context, digest string, raw []byte) error {
	packed, err := protocol.Pack(raw)
	if err != nil {
		return err
	}
	if len(packed) > uploadPiece {
		if err := c.putPieces(ctx, digest, packed); !unknownPath(err) {
			return err
		}
	}
	req, err := c.request(ctx, http.MethodPut, protocol.PathObjects+digest, bytes.NewReader(packed))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Content-Encoding", "gzip")
	_, err = c.do(req, protocol.MaxAnswer)
	return err
}

// unknownPath tells whether a server is older than what it was asked for.
func unknownPath(err error) bool {
	var refused *Refused
	return errors.As(err, &refused) && refused.Code == http.StatusNotFound
}

// putPieces sends an object from where the server has it, until it is all there or several tries in a row were in vain.
func (c *Client) putPieces(ctx context.Context, digest string, packed []byte) error {
	ctx, cancel := context.WithTimeout(ctx, downloadTime)
	defer cancel()
	size := uploadPiece
	for have, idle := 0, 0; have < len(packed); {
		next, err := c.putPiece(ctx, digest, packed, have, min(have+size, len(packed)))
		var refused *Refused
		if errors.As(err, &refused) {
			return err
		}
		if idle++; err == nil && next > have {
			idle = 0
		}
		if err == nil {
			have, size = next, min(size+smallestPiece, uploadPiece)
		} else {
			size = max(size/2, smallestPiece)
		}
		if idle == idleTries || ctx.Err() != nil {
			return fmt.Errorf("cannot send the object %.12s: %d of %d bytes arrived: %w", digest, have, len(packed), errors.Join(err, ctx.Err()))
		}
		if err != nil {
			c.Close() // what waits on the old connection would be in the way
		}
	}
	return nil
}

// putPiece sends some of the bytes, and returns how many the server has then.
func (c *Client) putPiece(ctx context.Context, digest string, packed []byte, from, to int) (have int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*stallTimeout)
	defer cancel()
	req, err := c.request(ctx, http.MethodPut, protocol.PathPieces+digest, bytes.NewReader(packed[from:to]))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Content-Range", protocol.Range{From: from, To: to, Total: len(packed)}.String())
	var got protocol.Received
	if err := c.exchange(req, &got); err != nil {
		return 0, err
	}
	if got.Have < 0 || got.Have > len(packed) {
		return 0, fmt.Errorf("the server says that it has %d of %d bytes", got.Have, len(packed))
	}
	return got.Have, nil
}
