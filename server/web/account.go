package web

import (
	"net/http"
	"time"

	"plumb/agent/protocol"
	"plumb/server/api"
	"plumb/server/people"
	"plumb/server/store"
)

// accountPage tells who is signed in, and lets them look after their password and sessions.
type accountPage struct {
	frame
	protocol.Problem
	// How says by what the person came in.
	How string
	// Local is true for an account with a password of this server, set at Changed.
	Local    bool
	Changed  time.Time
	Sessions []sessionRow
	// Done is what was just done, to be confirmed.
	Done string
	// Least is how many characters a password has at the least, Hours how long a session lives.
	Least, Hours int
}

// sessionRow is one browser in which the person is signed in.
type sessionRow struct {
	ID      string
	Browser string
	Since   time.Time
	// Own is true for the browser that shows the page.
	Own bool
}

func (s *site) account(c *api.Call) (any, error) {
	page, err := s.accountOf(c)
	if err != nil {
		return nil, err
	}
	page.Done = map[string]string{"password": "Your password is changed, and your other sessions have ended.", "session": "The session has ended."}[c.Query("done")]
	return s.show("account", page)
}

func (s *site) accountOf(c *api.Call) (accountPage, error) {
	page := accountPage{frame: s.frame(c, "Your account", "/account"), How: "an API token", Least: people.LeastPassword, Hours: int(sessionLife / time.Hour)}
	ctx, st := c.Request.Context(), s.Read().Store
	if c.Caller.Session == "" {
		return page, nil
	}
	page.How = "a one-time link"
	if c.Caller.Account != "" {
		a, err := st.Account(ctx, c.Caller.Account)
		if err != nil {
			return page, err
		}
		page.Local, page.Changed, page.How = a.Issuer == "", a.Changed, "a password of this server"
		if a.Issuer != "" {
			page.How = a.Issuer
		}
	}
	sessions, err := st.SessionsOf(ctx, personOf(c), c.Now)
	for _, one := range sessions {
		page.Sessions = append(page.Sessions, sessionRow{ID: one.Hash[:min(len(one.Hash), store.SessionPrefix)], Browser: one.Browser, Since: one.Created, Own: one.Hash == c.Caller.Session})
	}
	return page, err
}

// personOf is whose sessions are meant.
func personOf(c *api.Call) store.Session {
	return store.Session{Account: c.Caller.Account, Name: c.Caller.Name}
}

// changePassword asks for the old password: an open browser is not yet its person.
func (s *site) changePassword(c *api.Call) (any, error) {
	if err := fields(c); err != nil {
		return nil, err
	}
	page, err := s.accountOf(c)
	if err != nil {
		return nil, err
	}
	if !page.Local {
		return nil, &api.Error{Code: http.StatusBadRequest, Text: "there is no password here to change", Hint: "you signed in by " + page.How}
	}
	again := func(p protocol.Problem) any { page.Problem = p; return page }
	password, err := s.twice(c)
	if err == nil {
		err = s.People.ChangePassword(c.Request.Context(), s.try(c, c.Caller.Account, "old"), password, c.Caller.Session)
	}
	if err != nil {
		return s.refuse("account", err, again)
	}
	return seeOther("/account?done=password"), s.act(c, "change password", "their own")
}

// endSession ends one of the person's sessions, also the one that asks.
func (s *site) endSession(c *api.Call) (any, error) {
	if c.Caller.Session == "" {
		return nil, &api.Error{Code: http.StatusBadRequest, Text: "an API token has no sessions", Hint: "`plumb token revoke ID` ends a token"}
	}
	if err := s.Read().Store.EndSession(c.Request.Context(), personOf(c), c.Param("id")); err != nil {
		return nil, err
	}
	if err := s.act(c, "end session", "their own"); err != nil {
		return nil, err
	}
	return seeOther("/account?done=session"), nil
}

func (s *site) act(c *api.Call, what, detail string) error {
	return s.Read().Store.AddAct(c.Request.Context(), store.Act{At: c.Now, Who: c.Caller.Name, What: what, Detail: detail})
}
