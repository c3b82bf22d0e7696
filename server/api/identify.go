package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"plumb/inventory"
	"plumb/server/sshd"
	"plumb/server/store"
)

// SessionCookie carries a signed-in person's session.
const SessionCookie = "__Host-plumb"

// HashSecret is how secrets are stored: tokens, sessions and sign-in codes have 256 random
// bits, so a plain SHA-256 is enough.
func HashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func (a *API) identify(r *http.Request) (Caller, error) {
	switch door, _ := r.Context().Value(doorKey{}).(Door); door {
	case AgentsDoor:
		return a.byCertificate(r)
	case SSHDoor:
		id := sshd.Caller(r.Context())
		if id == "" {
			return Caller{}, nil
		}
		return a.byHost(r.Context(), id, "")
	case LocalDoor:
		return Caller{Name: "local administrator", Role: Admin, Local: true}, nil
	case PeopleDoor:
		return a.byPerson(r)
	}
	return Caller{}, nil
}

func (a *API) byCertificate(r *http.Request) (Caller, error) {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return Caller{}, nil
	}
	id, fingerprint, err := a.Authority.HostOf(r.TLS.VerifiedChains[0][0])
	if err != nil {
		return Caller{}, &Error{Code: http.StatusUnauthorized, Text: err.Error()}
	}
	if expired(r, a.Now()) {
		return Caller{}, &Error{Code: http.StatusUnauthorized, Text: "the host's certificate has run out", Hint: "enrol the host again"}
	}
	return a.byHost(r.Context(), id, fingerprint)
}

// expired looks at the clock once more for each request: a kept connection may be older
// than the certificate that opened it.
func expired(r *http.Request, now time.Time) bool {
	return now.After(r.TLS.VerifiedChains[0][0].NotAfter)
}

// byHost is the one look-up by which revocation acts on the very next request, also on a
// connection that is already open.
func (a *API) byHost(ctx context.Context, id inventory.HostID, fingerprint string) (Caller, error) {
	h, err := a.Store.Caller(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return Caller{}, &Error{Code: http.StatusForbidden, Text: "this server does not know this host", Hint: "enrol the host again"}
	}
	if err != nil {
		return Caller{}, err
	}
	if !h.Revoked.IsZero() {
		return Caller{}, &Error{Code: http.StatusForbidden, Text: "this host was revoked", Hint: "enrol it again with a new token if it should come back"}
	}
	if fingerprint != "" && fingerprint != h.Key {
		return Caller{}, &Error{Code: http.StatusForbidden, Text: "this is not the key that the host enrolled with", Hint: "enrol the host again"}
	}
	return Caller{Host: id, row: h}, nil
}

func (a *API) byPerson(r *http.Request) (Caller, error) {
	if secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return a.byToken(r.Context(), secret)
	}
	cookie, err := r.Cookie(SessionCookie)
	if err != nil {
		return Caller{}, nil
	}
	hash := HashSecret(cookie.Value)
	s, err := a.Store.Session(r.Context(), hash, a.Now())
	if errors.Is(err, store.ErrNotFound) {
		return Caller{}, nil
	}
	return Caller{Name: s.Name, Role: Access(s.Role), Session: hash, Account: s.Account}, err
}

func (a *API) byToken(ctx context.Context, secret string) (Caller, error) {
	t, err := a.Store.TokenByHash(ctx, HashSecret(secret))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Caller{}, err
	}
	if err != nil || t.Role == "" || !t.Revoked.IsZero() || a.Now().After(t.Expires) {
		return Caller{}, &Error{Code: http.StatusUnauthorized, Text: "the API token is not valid here", Hint: "make one with `plumb token create --role viewer`"}
	}
	return Caller{Name: t.Name, Role: Access(t.Role)}, nil
}
