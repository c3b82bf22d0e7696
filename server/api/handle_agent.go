package api

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"plumb/agent/protocol"
	"plumb/server/store"
)

func (a *API) enroll(c *Call) (any, error) {
	var in protocol.Enrollment
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	return a.Fleet.Enroll(c.Request.Context(), in, c.Now)
}

func (a *API) renew(c *Call) (any, error) {
	var in protocol.Renewal
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	return a.Fleet.Renew(c.Request.Context(), c.Caller.Host, in, c.Now)
}

// checkIn does not decode strictly: an agent may be newer than its server.
func (a *API) checkIn(c *Call) (any, error) {
	var in protocol.CheckIn
	if err := c.decodeLoosely(&in); err != nil {
		return nil, err
	}
	return a.Fleet.CheckIn(c.Request.Context(), c.Caller.Host, in, c.Now)
}

func (a *API) putObject(c *Call) (any, error) {
	raw, gzipped, err := c.inflated(protocol.MaxObject)
	if err != nil {
		return nil, err
	}
	return nil, a.Fleet.PutPacked(c.Request.Context(), c.Caller.Host, c.Param("digest"), raw, gzipped, c.Now)
}

// inflated reads a body, and returns also how it came when it was compressed. The cap is on what
// comes out, so that a small body cannot become a large one in memory.
func (c *Call) inflated(most int64) (raw, gzipped []byte, err error) {
	body := io.Reader(c.Request.Body)
	if c.Request.Header.Get("Content-Encoding") == "gzip" {
		var came bytes.Buffer
		z, _ := inflaters.Get().(*gzip.Reader)
		if z == nil {
			z = &gzip.Reader{}
		}
		defer inflaters.Put(z)
		if err := z.Reset(io.TeeReader(body, &came)); err != nil {
			return nil, nil, badRequest("the body is not gzip", "")
		}
		body = z
		defer func() { gzipped = came.Bytes() }()
	}
	raw, err = io.ReadAll(io.LimitReader(body, most+1))
	var large *http.MaxBytesError
	if errors.As(err, &large) || int64(len(raw)) > most {
		return nil, nil, &Error{Code: http.StatusRequestEntityTooLarge, Text: fmt.Sprintf("an object may have %d bytes at most", most)}
	}
	if err != nil {
		return nil, nil, badRequest("cannot read the body: "+err.Error(), "")
	}
	return raw, nil, nil
}

// inflaters are readers for gzip that wait to be used again: each has large tables.
var inflaters sync.Pool

func (a *API) tag(c *Call) (any, error) {
	return a.immutable(c, store.KindTag, "application/octet-stream")
}

func (a *API) bundle(c *Call) (any, error) {
	return a.immutable(c, store.KindBundle, "application/x-tar")
}

func (a *API) immutable(c *Call, kind, media string) (any, error) {
	raw, err := a.Store.Object(c.Request.Context(), store.Ref{Kind: kind, Digest: c.Param("digest")})
	if err != nil {
		return nil, err
	}
	return Raw{Type: media, Body: raw, Immutable: true}, nil
}

func (a *API) health(c *Call) (any, error) {
	if _, err := a.Store.Setting(c.Request.Context(), "health"); err != nil && !errors.Is(err, store.ErrNotFound) {
		a.Log.Error("database does not answer", "error", err)
		return nil, &Error{Code: http.StatusServiceUnavailable, Text: "the database does not answer"}
	}
	return map[string]string{"status": "ok", "version": a.Release}, nil
}

func (a *API) caPEM(*Call) (any, error) {
	return Raw{Type: "application/x-pem-file", Body: a.Authority.CAPEM()}, nil
}
