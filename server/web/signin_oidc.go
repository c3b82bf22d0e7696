package web

import (
	"encoding/base64"
	"net/http"
	"strings"

	"plumb/server/api"
	"plumb/server/people"
)

// flowCookie binds a way through the provider to the browser that began it.
const flowCookie = "__Host-plumb-signin"

// errNoProvider is for addresses that are there whether or not there is a provider.
func errNoProvider() error {
	return &api.Error{Code: http.StatusNotFound, Text: "this server has no OpenID provider to sign in by", Hint: `an administrator of this server sets "oidc" in its settings`}
}

// provider returns where people sign in who have an account elsewhere.
func (s *site) provider() (*people.Provider, error) {
	if s.People == nil || s.People.Provider == nil {
		return nil, errNoProvider()
	}
	return s.People.Provider, nil
}

// goToProvider sends the browser to the provider. It is a link and not a form, so that no form
// ever leads away from here.
func (s *site) goToProvider(c *api.Call) (any, error) {
	p, err := s.provider()
	if err != nil {
		return nil, err
	}
	secret, address, err := p.Begin(c.Request.Context())
	if err != nil {
		return nil, err
	}
	next := base64.RawURLEncoding.EncodeToString([]byte(localPath(c.Query("next"))))
	return seeOther(address, hostCookie(flowCookie, secret+"."+next, people.FlowLife)), nil
}

// comeFromProvider is where the provider sends the browser back to. The cookie is used up,
// whatever comes of it.
func (s *site) comeFromProvider(c *api.Call) (any, error) {
	p, err := s.provider()
	if err != nil {
		return nil, err
	}
	secret, next := flowOf(c.Request)
	who, err := p.Finish(c.Request.Context(), c.Request.URL.Query(), secret)
	if err != nil {
		return nil, err
	}
	account, err := s.People.Arrive(c.Request.Context(), who, c.Now)
	if err != nil {
		return nil, err
	}
	cookie, err := s.open(c, arrival{name: account.Name, role: account.Role, account: &account, how: "by " + p.Name()})
	if err != nil {
		return nil, err
	}
	return seeOther(next, cookie, gone(flowCookie)), nil
}

func flowOf(r *http.Request) (secret, next string) {
	cookie, err := r.Cookie(flowCookie)
	if err != nil {
		return "", "/"
	}
	secret, coded, _ := strings.Cut(cookie.Value, ".")
	raw, err := base64.RawURLEncoding.DecodeString(coded)
	if err != nil {
		return secret, "/"
	}
	return secret, localPath(string(raw))
}
