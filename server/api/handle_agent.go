package api

import (
	"errors"
	"fmt"
	"net/http"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/server/fleet"
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
	return a.Fleet.CheckInOf(c.Request.Context(), c.Caller.row, in, c.Now)
}

func (a *API) putObject(c *Call) (any, error) {
	raw, gzipped, err := c.inflated(protocol.MaxObject)
	if err != nil {
		return nil, err
	}
	return nil, a.Fleet.PutPacked(c.Request.Context(), c.Caller.Host, c.Param("digest"), raw, gzipped, c.Now)
}

// putPiece takes a part of an object, for lines over which the whole does not come at once.
func (a *API) putPiece(c *Call) (any, error) {
	piece, err := c.piece()
	if err != nil {
		return nil, err
	}
	digest := c.Param("digest")
	have, whole, err := a.Fleet.PutPiece(c.Caller.Host, digest, piece, c.Now)
	if err != nil || whole == nil {
		return protocol.Received{Have: have}, err
	}
	raw, err := protocol.Unpack(whole, protocol.MaxObject)
	if errors.Is(err, protocol.ErrLarge) {
		return nil, tooLarge(protocol.MaxObject)
	}
	if err != nil || inventory.Digest(raw) != digest {
		return nil, &Error{Code: http.StatusConflict, Text: "the pieces do not make up the object", Hint: "send it again from the beginning"}
	}
	return protocol.Received{Have: have}, a.Fleet.PutPacked(c.Request.Context(), c.Caller.Host, digest, raw, whole, c.Now)
}

// piece reads which part of an object a request brings.
func (c *Call) piece() (p fleet.Piece, err error) {
	r, err := protocol.ParseRange(c.Request.Header.Get("Content-Range"))
	if err != nil {
		return p, badRequest(err.Error(), "")
	}
	if r.Total > protocol.MaxObject {
		return p, tooLarge(protocol.MaxObject)
	}
	body, err := c.body()
	if err != nil || len(body) != r.To-r.From {
		return p, badRequest("the body is not as long as its range", "")
	}
	return fleet.Piece{From: r.From, Total: r.Total, Body: body}, nil
}

func tooLarge(most int) error {
	return &Error{Code: http.StatusRequestEntityTooLarge, Text: fmt.Sprintf("an object may have %d bytes at most", most)}
}

// inflated reads a body, and returns also how it came when it was compressed. The cap is on what
// comes out as well.
func (c *Call) inflated(most int) (raw, gzipped []byte, err error) {
	raw, err = c.body()
	if err == nil && c.Request.Header.Get("Content-Encoding") == "gzip" {
		gzipped = raw
		raw, err = protocol.Unpack(gzipped, most)
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) || errors.Is(err, protocol.ErrLarge) || len(raw) > most {
		return nil, nil, tooLarge(most)
	}
	if err != nil {
		return nil, nil, badRequest("cannot read the body: "+err.Error(), "")
	}
	return raw, gzipped, nil
}

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
