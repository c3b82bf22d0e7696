package web

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"plumb/agent/protocol"
	"plumb/server/api"
	"plumb/server/store"
)

// formBytes is the most that a form may hold.
const formBytes = 16 << 10

// signinPage shows the ways to sign in, and what went wrong with the last try.
type signinPage struct {
	frame
	protocol.Problem
	// Nobody is true when the page stands in for one that only people who are signed in see.
	Nobody bool
	// Local is true when there are accounts with passwords.
	Local bool
	// Provider is what the OpenID provider is called; empty for none.
	Provider string
	// Name is what was written into the form, Next the page to go to after it.
	Name string
	Next string
}

// newSignin is the page for whoever wants to go to the address next.
func (s *site) newSignin(ctx context.Context, f frame, next string) signinPage {
	p := signinPage{frame: f, Next: next}
	if s.People == nil {
		return p
	}
	if s.People.Provider != nil {
		p.Provider = s.People.Provider.Name()
	}
	// Without the database nobody gets in anyway; the page still says what to do.
	p.Local, _ = s.People.HasLocal(ctx)
	return p
}

func (s *site) signInHelp(c *api.Call) (any, error) {
	return s.show("signin", s.newSignin(c.Request.Context(), s.frame(c, "Sign in", ""), localPath(c.Query("next"))))
}

// signinLinkPage asks before a link is used that another site has led to.
type signinLinkPage struct {
	frame
	Code string
}

// askFirst shows a page in place of a sign-in that another site began: it may be somebody
// else's link, and what the person then does would be done in that name.
func (s *site) askFirst(c *api.Call) (any, error) {
	site := c.Request.Header.Get("Sec-Fetch-Site")
	if site == "cross-site" || site == "same-site" {
		return s.show("signin_link", signinLinkPage{s.frame(c, "Sign in", ""), c.Param("code")})
	}
	return s.signIn(c)
}

// signIn turns a one-time code into a session. The code is used up by the first request
// that is not a browser's guess of where the person may go next.
func (s *site) signIn(c *api.Call) (any, error) {
	if strings.Contains(c.Request.Header.Get("Sec-Purpose"), "prefetch") {
		return nil, &api.Error{Code: http.StatusForbidden, Text: "a sign-in link is not fetched ahead", Hint: "open it"}
	}
	in, err := s.Read().Store.UseSignIn(c.Request.Context(), api.HashSecret(c.Param("code")), c.Now)
	if errors.Is(err, store.ErrNotFound) {
		return nil, &api.Error{Code: http.StatusUnauthorized, Text: "this sign-in link does not work, or does not work any more",
			Hint: "a link works once and for ten minutes"}
	}
	if err != nil {
		return nil, err
	}
	cookie, err := s.open(c, arrival{name: in.Name, role: in.Role, how: "by a link"})
	if err != nil {
		return nil, err
	}
	return seeOther("/", cookie), nil
}

// signOut ends the session of the browser. No other site may do that to it.
func (s *site) signOut(c *api.Call) (any, error) {
	if err := s.end(c); err != nil {
		return nil, err
	}
	return seeOther("/signin", gone(api.SessionCookie)), nil
}
