package api

import (
	"errors"
	"net/http"
	"time"

	"plumb/agent/protocol"
	"plumb/server/fleet"
	"plumb/server/rollout"
	"plumb/server/store"
)

// Error is an error with an HTTP status and words for the person who gets it.
type Error struct {
	// Code is the HTTP status.
	Code int
	// Text says what went wrong, Hint what to do about it.
	Text, Hint string
	// After is how long to wait before the next try, for codes 429 and 503.
	After time.Duration
}

func (e *Error) Error() string { return e.Text }

func badRequest(text, hint string) error {
	return &Error{Code: http.StatusBadRequest, Text: text, Hint: hint}
}

func notFound(text, hint string) error {
	return &Error{Code: http.StatusNotFound, Text: text, Hint: hint}
}

// problemOf is the one place where errors become what a caller sees. What it does not know
// is an internal error: it is logged, and the caller learns nothing of it.
func problemOf(err error) (code int, p protocol.Problem, known bool) {
	var own *Error
	var refused *fleet.ErrRefused
	var unfit *rollout.Refusal
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &own):
		return own.Code, protocol.Problem{Error: own.Text, Hint: own.Hint}, true
	case errors.As(err, &refused):
		return http.StatusForbidden, protocol.Problem{Error: refused.Message, Hint: refused.Hint}, true
	case errors.As(err, &unfit):
		return http.StatusConflict, protocol.Problem{Error: unfit.Text, Hint: unfit.Hint}, true
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, protocol.Problem{Error: "the request is too large"}, true
	case errors.Is(err, store.ErrNotFound):
		return http.StatusNotFound, protocol.Problem{Error: "there is no such thing here"}, true
	case errors.Is(err, store.ErrFull):
		return http.StatusInsufficientStorage, protocol.Problem{Error: "the server's disk is full",
			Hint: "free some room on it; hosts keep their reports until then"}, false
	case errors.Is(err, store.ErrConflict):
		return http.StatusConflict, protocol.Problem{Error: "somebody else was faster", Hint: "try again"}, true
	}
	return http.StatusInternalServerError, protocol.Problem{Error: "the server could not do it", Hint: "its log says why"}, false
}

// Raw is an answer that is not JSON.
type Raw struct {
	// Type is the media type.
	Type string
	// Body is sent as it is.
	Body []byte
	// Immutable lets clients keep it for ever: it is named by its digest.
	Immutable bool
	// Code is the HTTP status; 0 means 200.
	Code int
	// Header holds further header fields.
	Header http.Header
}
