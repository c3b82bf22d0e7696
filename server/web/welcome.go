package web

import (
	"net/http"

	"plumb/agent/protocol"
	"plumb/server/api"
	"plumb/server/people"
)

// welcomePage is where a person sets their password by a link.
type welcomePage struct {
	frame
	protocol.Problem
	Account string
	Role    api.Access
	Code    string
	Least   int
}

// welcome shows the form. The link stays good until a password is set by it: whatever looks at
// links in messages beforehand does not use it up.
func (s *site) welcome(c *api.Call) (any, error) {
	page, err := s.welcomeOf(c)
	if err != nil {
		return nil, err
	}
	return s.show("welcome", page)
}

func (s *site) welcomeOf(c *api.Call) (welcomePage, error) {
	a, err := s.People.Invited(c.Request.Context(), api.HashSecret(c.Param("code")), c.Now)
	if err != nil {
		return welcomePage{}, err
	}
	return welcomePage{frame: s.strange("Set your password"), Account: a.Name, Role: api.Access(a.Role), Code: c.Param("code"), Least: people.LeastPassword}, nil
}

// accept sets the password and signs the person in.
func (s *site) accept(c *api.Call) (any, error) {
	page, err := s.welcomeOf(c)
	if err != nil {
		return nil, err
	}
	if err := fields(c); err != nil {
		return nil, err
	}
	again := func(p protocol.Problem) any { page.Problem = p; return page }
	password, err := s.twice(c)
	if err != nil {
		return s.refuse("welcome", err, again)
	}
	account, err := s.People.Accept(c.Request.Context(), api.HashSecret(c.Param("code")), password, c.Now)
	if err != nil {
		return s.refuse("welcome", err, again)
	}
	cookie, err := s.open(c, arrival{name: account.Name, role: account.Role, account: &account, how: "with a new password"})
	if err != nil {
		return nil, err
	}
	return seeOther("/", cookie), nil
}

// twice reads a new password, which is written two times because nobody sees it.
func (s *site) twice(c *api.Call) (string, error) {
	password := c.Request.PostFormValue("new")
	if password != c.Request.PostFormValue("again") {
		return "", &api.Error{Code: http.StatusBadRequest, Text: "the two passwords differ", Hint: "write the same one into both fields"}
	}
	return password, nil
}
