package views

import (
	"context"
	"fmt"
	"time"

	"plumb/server/store"
)

// Account is a person who signs in by themselves, without their password.
type Account struct {
	Name string `json:"name"`
	Role string `json:"role"`
	// State is active, invited (no password is set yet) or disabled.
	State string `json:"state"`
	// Issuer and Subject are who the person is at the OpenID provider; empty for local accounts.
	Issuer    string     `json:"issuer,omitempty"`
	Subject   string     `json:"subject,omitempty"`
	Created   time.Time  `json:"created"`
	CreatedBy string     `json:"created_by"`
	Changed   *time.Time `json:"password_set,omitempty"`
	SignedIn  *time.Time `json:"signed_in,omitempty"`
}

// AccountOf shows an account.
func AccountOf(a store.Account) Account {
	return Account{
		Name: a.Name, Role: a.Role, State: accountState(a), Issuer: a.Issuer, Subject: a.Subject,
		Created: a.Created.UTC(), CreatedBy: a.CreatedBy, Changed: stamp(a.Changed), SignedIn: stamp(a.SignedIn),
	}
}

func accountState(a store.Account) string {
	switch {
	case !a.Disabled.IsZero():
		return "disabled"
	case a.Issuer == "" && a.Password == "":
		return "invited"
	}
	return "active"
}

// Accounts returns all accounts.
func (r Reader) Accounts(ctx context.Context) ([]Account, error) {
	rows, err := r.Store.Accounts(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot list accounts: %w", err)
	}
	accounts := make([]Account, 0, len(rows))
	for _, a := range rows {
		accounts = append(accounts, AccountOf(a))
	}
	return accounts, nil
}
