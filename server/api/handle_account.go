package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"plumb/server/people"
	"plumb/server/store"
	"plumb/server/views"
)

// inviteLife is how long a person may take to set a password by their link.
const inviteLife = 24 * time.Hour

// AccountRequest asks for an account, or for something of one.
type AccountRequest struct {
	Name string `json:"name"`
	Role string `json:"role"`
	// Password is set at once; without one there is a link by which the person sets it.
	Password string `json:"password"`
}

// AccountMade is an account, and the only answer that ever holds its link.
type AccountMade struct {
	Account views.Account `json:"account"`
	Link    *Link         `json:"link,omitempty"`
}

// accountRoutes are about people who sign in by themselves.
func (a *API) accountRoutes() []Route {
	return []Route{
		{"GET", "/v1/accounts", Admin, a.accounts, 0, nil},
		{"POST", "/v1/accounts", Admin, a.addAccount, small, nil},
		{"POST", "/v1/accounts/:name/password", Admin, a.resetPassword, small, nil},
		{"POST", "/v1/accounts/:name/role", Admin, a.setRole, small, nil},
		{"POST", "/v1/accounts/:name/disable", Admin, a.disableAccount, small, nil},
		{"POST", "/v1/accounts/:name/enable", Admin, a.enableAccount, small, nil},
		{"POST", "/v1/accounts/:name/remove", Admin, a.removeAccount, small, nil},
	}
}

func (a *API) accounts(c *Call) (any, error) { return a.Views().Accounts(c.Request.Context()) }

func (a *API) addAccount(c *Call) (any, error) {
	var in AccountRequest
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := checkRole(in.Role); err != nil {
		return nil, err
	}
	account := store.Account{Name: in.Name, Role: in.Role, Created: c.Now, CreatedBy: c.Caller.Name}
	if err := a.People.Add(c.Request.Context(), account, in.Password); err != nil {
		return nil, err
	}
	if err := a.record(c, "add account", in.Name+" as "+in.Role); err != nil {
		return nil, err
	}
	return a.made(c, in)
}

func checkRole(role string) error {
	if IsRole(role) {
		return nil
	}
	return badRequest(fmt.Sprintf("there is no role %q", role), "the roles are viewer, auditor, operator and admin")
}

// made shows an account, with a link when it was given no password.
func (a *API) made(c *Call, in AccountRequest) (any, error) {
	account, err := a.Store.Account(c.Request.Context(), in.Name)
	if err != nil {
		return nil, err
	}
	out := AccountMade{Account: views.AccountOf(account)}
	if in.Password == "" {
		out.Link, err = a.invite(c, in.Name)
	}
	return out, err
}

// invite makes the link by which a person sets their password. It holds no secret of theirs, and
// once it is used it is worth nothing.
func (a *API) invite(c *Call, name string) (*Link, error) {
	code, expires := people.Secret(), c.Now.Add(inviteLife)
	if err := a.Store.AddLink(c.Request.Context(), name, HashSecret(code), expires); err != nil {
		return nil, err
	}
	link := &Link{URL: "https://" + a.Addresses.People + "/welcome/" + code, Expires: expires.UTC()}
	return link, a.record(c, "make password link", name)
}

func (a *API) resetPassword(c *Call) (any, error) {
	in, err := a.accountNamed(c)
	if err != nil {
		return nil, err
	}
	account, err := a.localAccount(c, in.Name)
	if err != nil {
		return nil, err
	}
	if !account.Disabled.IsZero() {
		return nil, badRequest(fmt.Sprintf("the account %s is disabled", in.Name), "let the person in again with `plumb account enable` first")
	}
	if in.Password == "" {
		return a.made(c, in)
	}
	if err := a.People.SetPassword(c.Request.Context(), account, in.Password, c.Now); err != nil {
		return nil, err
	}
	if err := a.record(c, "set password", in.Name); err != nil {
		return nil, err
	}
	return a.made(c, in)
}

// accountNamed reads the body; the account is the one in the path.
func (a *API) accountNamed(c *Call) (in AccountRequest, err error) {
	err = c.Decode(&in)
	in.Name = c.Param("name")
	return in, err
}

// localAccount is an account whose password and role are this server's to say.
func (a *API) localAccount(c *Call, name string) (store.Account, error) {
	account, err := a.Store.Account(c.Request.Context(), name)
	if err != nil {
		return account, unknownAccount(err, name)
	}
	if account.Issuer != "" {
		return account, badRequest(fmt.Sprintf("the password and the role of %s are not kept here", name),
			"change them at "+account.Issuer+", or keep the person out with `plumb account disable`")
	}
	return account, nil
}

func unknownAccount(err error, name string) error {
	if errors.Is(err, store.ErrNotFound) {
		return notFound(fmt.Sprintf("there is no account %q", name), "`plumb account list` shows them")
	}
	return err
}

func (a *API) setRole(c *Call) (any, error) {
	in, err := a.accountNamed(c)
	if err != nil {
		return nil, err
	}
	if err := checkRole(in.Role); err != nil {
		return nil, err
	}
	if _, err := a.localAccount(c, in.Name); err != nil {
		return nil, err
	}
	return a.onAccount(c, "set role", in.Name+" to "+in.Role, a.Store.SetRole(c.Request.Context(), in.Name, in.Role))
}

func (a *API) disableAccount(c *Call) (any, error) {
	name := c.Param("name")
	return a.onAccount(c, "disable account", name, a.Store.DisableAccount(c.Request.Context(), name, c.Now))
}

func (a *API) enableAccount(c *Call) (any, error) {
	name := c.Param("name")
	return a.onAccount(c, "enable account", name, a.Store.EnableAccount(c.Request.Context(), name))
}

func (a *API) removeAccount(c *Call) (any, error) {
	name := c.Param("name")
	return a.onAccount(c, "remove account", name, a.Store.RemoveAccount(c.Request.Context(), name))
}

// onAccount ends an act on an account: it was there, or it was not.
func (a *API) onAccount(c *Call, what, detail string, err error) (any, error) {
	if err != nil {
		return nil, unknownAccount(err, c.Param("name"))
	}
	return nil, a.record(c, what, detail)
}

// codeOf is the HTTP status of a refusal.
func codeOf(k people.Kind) int {
	switch k {
	case people.Denied:
		return http.StatusUnauthorized
	case people.Barred:
		return http.StatusForbidden
	case people.Slow:
		return http.StatusTooManyRequests
	case people.Busy:
		return http.StatusServiceUnavailable
	case people.Away:
		return http.StatusBadGateway
	case people.Missing:
		return http.StatusNotFound
	}
	return http.StatusBadRequest
}

// Refused turns a refusal into the error that a caller sees; other errors stay what they are.
func Refused(err error) error {
	var r *people.Refusal
	if errors.As(err, &r) {
		return &Error{Code: codeOf(r.Kind), Text: r.Text, Hint: r.Hint, After: r.After}
	}
	return err
}
