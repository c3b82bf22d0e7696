package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"plumb/policies/canon"
	"plumb/server/people"
	"plumb/server/store"
)

// serve turns a line of the table into a handler: who is it, may they, how often, how much;
// only then does the route's own code run.
func (a *API) serve(r Route) gin.HandlerFunc {
	return func(c *gin.Context) {
		began := a.Now()
		value, err := a.guarded(r, c)
		if err == nil {
			err = a.send(r, c, value)
		}
		if err != nil {
			a.refuse(r, c, err)
		}
		a.answered.WithLabelValues(r.Method, r.Path, strconv.Itoa(c.Writer.Status())).Inc()
		a.Log.Debug("answered", "method", c.Request.Method, "route", r.Path, "status", c.Writer.Status(), "took", a.Now().Sub(began))
	}
}

func (a *API) guarded(r Route, c *gin.Context) (value any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the handler panicked: %v\n%s", p, debug.Stack())
		}
	}()
	harden(c.Writer.Header())
	if r.Access == Host {
		if err := a.admission.enter(); err != nil {
			return nil, err
		}
		defer a.admission.leave()
	}
	if err := sameSite(c.Request); err != nil {
		return nil, err
	}
	caller, err := a.identify(c.Request)
	if busy := a.limits.allow(caller, c.Request, a.Now()); busy != nil {
		return nil, busy
	}
	if err != nil {
		return nil, err
	}
	if !caller.May(r.Access) {
		return nil, denied(caller, r.Access)
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, r.Body)
	return r.Handle(&Call{Request: c.Request, Caller: caller, Now: a.Now(), Param: c.Param})
}

// harden sets what every answer carries, so that a page cannot be framed, sniffed or made
// to load anything from elsewhere. No referrer is sent, for some addresses hold a code.
func harden(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Strict-Transport-Security", "max-age=31536000")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// NotSignedIn is what strangers are told who ask for something.
const NotSignedIn = "nobody is signed in"

func denied(c Caller, need Access) error {
	if c.Role == "" && c.Host == "" {
		return &Error{Code: http.StatusUnauthorized, Text: NotSignedIn,
			Hint: "use the sign-in link of `plumb web`, or an API token in PLUMB_TOKEN"}
	}
	return &Error{Code: http.StatusForbidden, Text: fmt.Sprintf("this needs the access %q", need),
		Hint: "ask an administrator of this server"}
}

func (a *API) send(r Route, c *gin.Context, value any) error {
	raw, ok := value.(Raw)
	if !ok {
		body, err := encode(r, orEmpty(value))
		if err != nil {
			return fmt.Errorf("cannot encode the answer: %w", err)
		}
		raw = Raw{Type: "application/json; charset=utf-8", Body: append(body, '\n')}
	}
	write(c, raw, max(raw.Code, http.StatusOK))
	return nil
}

// encode makes JSON: for people and their programs in lines, for hosts, which call often, in short.
func encode(r Route, value any) ([]byte, error) {
	if r.Access == Host {
		return json.Marshal(value)
	}
	return json.MarshalIndent(value, "", "  ")
}

func orEmpty(value any) any {
	if value == nil {
		return struct{}{}
	}
	return value
}

func write(c *gin.Context, raw Raw, code int) {
	for name, values := range raw.Header {
		for _, v := range values {
			c.Writer.Header().Add(name, v)
		}
	}
	if raw.Immutable {
		c.Header("Cache-Control", "private, max-age=31536000, immutable")
		c.Header("Content-Type", raw.Type)
		http.ServeContent(c.Writer, c.Request, "", time.Time{}, bytes.NewReader(raw.Body)) // knows ranges: what broke off goes on from there
		return
	}
	c.Header("Content-Length", strconv.Itoa(len(raw.Body)))
	c.Data(code, raw.Type, raw.Body)
}

// refuse sends an error. What the caller could not have caused is logged, and only there.
func (a *API) refuse(r Route, c *gin.Context, err error) {
	if reason := people.Reason(err); reason != nil {
		a.Log.Warn("cannot sign somebody in by the provider", "error", reason)
	}
	err = Refused(err)
	code, p, known := problemOf(err)
	if !known && c.Request.Context().Err() == nil {
		a.Log.Error("request failed", "method", c.Request.Method, "route", r.Path, "error", err)
	}
	if after := retryAfter(err); after > 0 {
		c.Header("Retry-After", strconv.Itoa(int(max(after, time.Second)/time.Second)))
	}
	if r.Trouble != nil {
		write(c, r.Trouble(c.Request, code, p), code)
		return
	}
	body, _ := json.Marshal(p) // two strings always encode
	write(c, Raw{Type: "application/json; charset=utf-8", Body: append(body, '\n')}, code)
}

// fullFor is how long a full disk keeps callers away: somebody has to make room.
const fullFor = time.Minute

func retryAfter(err error) time.Duration {
	var own *Error
	if errors.As(err, &own) {
		return own.After
	}
	if errors.Is(err, store.ErrFull) {
		return fullFor
	}
	return 0
}

// Decode reads a JSON body strictly.
func (c *Call) Decode(into any) error {
	dec := json.NewDecoder(c.Request.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return undecodable(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return badRequest("the body holds more than one JSON value", "")
	}
	return nil
}

func undecodable(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	}
	return badRequest("cannot read the body: "+err.Error(), "upgrade whichever of agent and server is older")
}

// decodeLoosely reads a JSON body and passes over fields that it does not know.
func (c *Call) decodeLoosely(into any) error {
	raw, err := c.body()
	if err != nil {
		return undecodable(err)
	}
	if err := canon.Unmarshal(raw, into); err != nil {
		return undecodable(err)
	}
	return nil
}

// body reads all of the body. What a request says of its length is believed up to a point.
func (c *Call) body() ([]byte, error) {
	var raw bytes.Buffer
	raw.Grow(int(min(max(c.Request.ContentLength, 0), small)) + bytes.MinRead)
	_, err := raw.ReadFrom(c.Request.Body)
	return raw.Bytes(), err
}
