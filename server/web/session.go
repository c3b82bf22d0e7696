package web

import (
	"net/http"
	"strings"
	"time"

	"plumb/server/api"
	"plumb/server/people"
	"plumb/server/store"
)

// sessionLife is how long a browser stays signed in: one long working day.
const sessionLife = 12 * time.Hour

// arrival is somebody who has proved who they are.
type arrival struct {
	name, role string
	// account is theirs; nil for whoever came by a link of the administrator's.
	account *store.Account
	// how is for the record of acts.
	how string
}

// open opens a session under a new secret and ends the one that the browser had, so that
// nobody can have fixed it beforehand.
func (s *site) open(c *api.Call, in arrival) (*http.Cookie, error) {
	ctx, st := c.Request.Context(), s.Read().Store
	if err := st.AddAct(ctx, store.Act{At: c.Now, Who: in.name, What: "sign in", Detail: "as " + in.role + " " + in.how}); err != nil {
		return nil, err
	}
	secret := people.Secret()
	session := store.Session{Hash: api.HashSecret(secret), Role: in.role, Name: in.name, Browser: browserOf(c.Request.UserAgent()), Created: c.Now, Expires: c.Now.Add(sessionLife)}
	var err error
	if in.account == nil {
		err = st.CreateSession(ctx, session)
	} else {
		err = st.OpenSession(ctx, session, *in.account)
	}
	if err != nil {
		return nil, err
	}
	return hostCookie(api.SessionCookie, secret, sessionLife), s.end(c)
}

// end ends the session of the browser, if it has one.
func (s *site) end(c *api.Call) error {
	cookie, err := c.Request.Cookie(api.SessionCookie)
	if err != nil {
		return nil
	}
	return s.Read().Store.DeleteSession(c.Request.Context(), api.HashSecret(cookie.Value))
}

// hostCookie is a cookie of this host alone, that no script reads and that does not travel without
// TLS. Lax lets it come along when a provider or a link leads here; no form of another site has it.
func hostCookie(name, value string, life time.Duration) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(life / time.Second),
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// gone takes a cookie away.
func gone(name string) *http.Cookie { return hostCookie(name, "", -time.Second) }

func seeOther(address string, cookies ...*http.Cookie) api.Raw {
	header := http.Header{"Location": {address}}
	for _, c := range cookies {
		header.Add("Set-Cookie", c.String())
	}
	return api.Raw{Code: http.StatusSeeOther, Type: "text/plain; charset=utf-8", Header: header}
}

// browserOf says in a few words which browser it is, for its person to know it again.
func browserOf(agent string) string {
	return first(agent, "another browser", [][2]string{{"Firefox/", "Firefox"}, {"Edg", "Edge"}, {"OPR/", "Opera"}, {"Chrom", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"}}) +
		first(agent, "", [][2]string{{"Android", " on Android"}, {"iPhone", " on an iPhone"}, {"iPad", " on an iPad"}, {"Windows", " on Windows"}, {"Mac OS X", " on a Mac"}, {"CrOS", " on ChromeOS"}, {"Linux", " on Linux"}})
}

func first(text, otherwise string, known [][2]string) string {
	for _, k := range known {
		if strings.Contains(text, k[0]) {
			return k[1]
		}
	}
	return otherwise
}
