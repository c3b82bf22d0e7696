package web

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"plumb/agent/protocol"
	"plumb/server/api"
	"plumb/server/store"
)

// sessionLife is how long a browser stays signed in: one long working day.
const sessionLife = 12 * time.Hour

// signinPage tells how to sign in, and what went wrong with the last try.
type signinPage struct {
	frame
	protocol.Problem
}

func (s *site) signInHelp(c *api.Call) (any, error) {
	return s.show("signin", signinPage{frame: s.frame(c, "Sign in", "")})
}

// signIn turns a one-time code into a session. The code is used up by the first request
// that is not a browser's guess of where the person may go next.
func (s *site) signIn(c *api.Call) (any, error) {
	if strings.Contains(c.Request.Header.Get("Sec-Purpose"), "prefetch") {
		return nil, &api.Error{Code: http.StatusForbidden, Text: "a sign-in link is not fetched ahead", Hint: "open it"}
	}
	ctx, st := c.Request.Context(), s.Read().Store
	in, err := st.UseSignIn(ctx, api.HashSecret(c.Param("code")), c.Now)
	if errors.Is(err, store.ErrNotFound) {
		return nil, &api.Error{Code: http.StatusUnauthorized, Text: "this sign-in link does not work, or does not work any more",
			Hint: "a link works once and for ten minutes"}
	}
	if err != nil {
		return nil, err
	}
	secret, ends := api.Secret(), c.Now.Add(sessionLife)
	if err := st.AddAct(ctx, store.Act{At: c.Now, Who: in.Name, What: "sign in", Detail: "as " + in.Role}); err != nil {
		return nil, err
	}
	err = st.CreateSession(ctx, store.Session{Hash: api.HashSecret(secret), Role: in.Role, Name: in.Name, Expires: ends})
	if err != nil {
		return nil, err
	}
	return seeOther("/", session(secret, int(sessionLife/time.Second))), nil
}

// signOut ends the session of the browser. No other site may do that to it.
func (s *site) signOut(c *api.Call) (any, error) {
	if err := http.NewCrossOriginProtection().Check(c.Request); err != nil {
		return nil, &api.Error{Code: http.StatusForbidden, Text: "this request came from another site", Hint: "use the button on our own pages"}
	}
	if cookie, err := c.Request.Cookie(api.SessionCookie); err == nil {
		if err := s.Read().Store.DeleteSession(c.Request.Context(), api.HashSecret(cookie.Value)); err != nil {
			return nil, err
		}
	}
	return seeOther("/signin", session("", -1)), nil
}

// session is the cookie of a session; a life below 0 seconds takes it away.
func session(secret string, life int) *http.Cookie {
	return &http.Cookie{Name: api.SessionCookie, Value: secret, Path: "/", MaxAge: life,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

func seeOther(address string, cookie *http.Cookie) api.Raw {
	return api.Raw{Code: http.StatusSeeOther, Type: "text/plain; charset=utf-8",
		Header: http.Header{"Location": {address}, "Set-Cookie": {cookie.String()}}}
}
