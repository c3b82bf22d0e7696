package web

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"plumb/agent/protocol"
	"plumb/server/api"
	"plumb/server/people"
)

// deviceCookie marks a browser in which somebody has signed in, so that strangers who try their
// password cannot keep them out; see package people.
const (
	deviceCookie = "__Host-plumb-device"
	deviceLife   = 180 * 24 * time.Hour
)

// fields reads a form that a browser sent.
func fields(c *api.Call) error {
	err := c.Request.ParseForm()
	var large *http.MaxBytesError
	if err == nil || errors.As(err, &large) {
		return err
	}
	return &api.Error{Code: http.StatusBadRequest, Text: "the form cannot be read", Hint: "go back and try again"}
}

func errEmptyForm() error {
	return &api.Error{Code: http.StatusBadRequest, Text: "the form is not filled in", Hint: "write your name and your password"}
}

func (s *site) signInByPassword(c *api.Call) (any, error) {
	if err := fields(c); err != nil {
		return nil, err
	}
	page := s.newSignin(c.Request.Context(), s.strange("Sign in"), localPath(c.Request.PostFormValue("next")))
	page.Name = c.Request.PostFormValue("name")
	again := func(p protocol.Problem) any { page.Problem = p; return page }
	if page.Name == "" || c.Request.PostFormValue("password") == "" {
		return s.refuse("signin", errEmptyForm(), again)
	}
	account, mark, err := s.People.SignIn(c.Request.Context(), s.try(c, page.Name, "password"))
	if err != nil {
		return s.refuse("signin", err, again)
	}
	cookie, err := s.open(c, arrival{name: account.Name, role: account.Role, account: &account, how: "with a password"})
	if err != nil {
		return nil, err
	}
	return seeOther(page.Next, cookie, hostCookie(deviceCookie, mark, deviceLife)), nil
}

// try is what somebody wrote into a form.
func (s *site) try(c *api.Call, name, field string) people.Try {
	t := people.Try{Name: name, Password: c.Request.PostFormValue(field), Address: c.Request.RemoteAddr, Now: c.Now}
	if cookie, err := c.Request.Cookie(deviceCookie); err == nil {
		t.Device = cookie.Value
	}
	return t
}

// refuse shows a form again with what is wrong with it. Other errors are not the person's.
func (s *site) refuse(name string, err error, with func(protocol.Problem) any) (any, error) {
	var own *api.Error
	if err = api.Refused(err); !errors.As(err, &own) {
		return nil, err
	}
	raw, err := s.render(name, with(protocol.Problem{Error: own.Text, Hint: own.Hint}))
	if raw.Code = own.Code; own.After > 0 {
		raw.Header = http.Header{"Retry-After": {strconv.Itoa(int(own.After / time.Second))}}
	}
	if err != nil {
		return nil, err
	}
	return raw, nil
}
