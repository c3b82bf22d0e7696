package people

import (
	"context"
	"errors"
	"strings"
	"time"

	"plumb/server/store"
)

// Try is one try to sign in with a password.
type Try struct {
	Name, Password string
	// Address is where it comes from, host:port; Device is the mark of the browser, if it has one.
	Address, Device string
	Now             time.Time
}

// CleanName is a name as it is looked up: people write theirs with capitals.
func CleanName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// SignIn returns the account whose password it is, and a mark for the browser. All that is wrong
// is told in the same words and takes the same time.
func (p *People) SignIn(ctx context.Context, t Try) (a store.Account, mark string, err error) {
	if a, err = p.prove(ctx, t); err != nil {
		return store.Account{}, "", err
	}
	mark, err = p.newDevice(ctx, a.Name)
	return a, mark, err
}

// prove finds out whether the password is the account's.
func (p *People) prove(ctx context.Context, t Try) (store.Account, error) {
	name := CleanName(t.Name)
	known := CheckName(name) == nil && len(t.Password) <= mostPassword
	if !known {
		name = "" // what cannot be a name shares one bucket
	}
	if wait := p.limits.take(name, t.Address, p.device(ctx, name, t.Device), t.Now); wait > 0 {
		return store.Account{}, slow(wait)
	}
	a, err := p.store.Account(ctx, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Account{}, err
	}
	if !known {
		t.Password = ""
	}
	ok, cheap, err := p.hasher.match(ctx, a.Password, t.Password)
	if err != nil {
		return store.Account{}, err
	}
	if !ok || !a.Disabled.IsZero() {
		p.note(a, t.Address)
		return store.Account{}, wrong()
	}
	return p.renewed(ctx, a, t.Password, cheap)
}

// note logs a refusal for an account that exists. What else was written into the field of the
// name is not logged: it may be a password.
func (p *People) note(a store.Account, address string) {
	if a.Name != "" {
		p.log.Warn("sign-in refused", "account", a.Name, "disabled", !a.Disabled.IsZero(), "address", networkOf(address))
	}
}

// renewed hashes the password again when that was done too cheaply, as long as it is at hand.
func (p *People) renewed(ctx context.Context, a store.Account, password string, cheap bool) (store.Account, error) {
	if !cheap {
		return a, nil
	}
	phc, err := p.hasher.hash(ctx, password)
	if err != nil {
		return a, err
	}
	if err := p.store.Rehash(ctx, a, phc); err != nil {
		return a, err
	}
	return p.store.Account(ctx, a.Name)
}

func wrong() error {
	return &Refusal{Kind: Denied, Text: "the name or the password is not right",
		Hint: "an administrator of this server makes a link for a new password with `plumb account passwd NAME`"}
}

func slow(wait time.Duration) error {
	wait = max(wait.Round(time.Second), time.Second)
	return &Refusal{Kind: Slow, Text: "too many tries to sign in", After: wait,
		Hint: "wait " + wait.String() + ", then try again"}
}

// Add makes a local account; without a password nobody can sign in to it until a link has set one.
func (p *People) Add(ctx context.Context, a store.Account, password string) error {
	if err := CheckName(a.Name); err != nil {
		return err
	}
	if password != "" {
		phc, err := p.newHash(ctx, a.Name, password)
		if err != nil {
			return err
		}
		a.Password, a.Changed = phc, a.Created
	}
	err := p.store.AddAccount(ctx, a)
	if errors.Is(err, store.ErrConflict) {
		return &Refusal{Kind: Unfit, Text: "there is an account " + a.Name + " already", Hint: "`plumb account list` shows them"}
	}
	return err
}

func (p *People) newHash(ctx context.Context, account, password string) (string, error) {
	if err := CheckPassword(account, password); err != nil {
		return "", err
	}
	return p.hasher.hash(ctx, password)
}

// SetPassword gives an account a password without asking for the old one; its sessions end.
func (p *People) SetPassword(ctx context.Context, a store.Account, password string, now time.Time) error {
	phc, err := p.newHash(ctx, a.Name, password)
	if err != nil {
		return err
	}
	return p.store.SetPassword(ctx, a, phc, "", now)
}

// ChangePassword puts a password in the place of the one in the try; the account's sessions end,
// but for the one to keep.
func (p *People) ChangePassword(ctx context.Context, t Try, password, keep string) error {
	if err := CheckPassword(CleanName(t.Name), password); err != nil {
		return err
	}
	a, err := p.prove(ctx, t)
	var refused *Refusal
	if errors.As(err, &refused) && refused.Kind == Denied {
		return &Refusal{Kind: Barred, Text: "the old password is not right", Hint: "write the password with which you sign in now"}
	}
	if err != nil {
		return err
	}
	phc, err := p.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return p.store.SetPassword(ctx, a, phc, keep, t.Now)
}

// Invited returns whose password the link sets, by the hash of its code.
func (p *People) Invited(ctx context.Context, hash string, now time.Time) (store.Account, error) {
	a, err := p.store.AccountByLink(ctx, hash, now)
	return a, outworn(err)
}

// Accept sets the password that a link is for, and uses the link up. It returns the account as it
// is then.
func (p *People) Accept(ctx context.Context, hash, password string, now time.Time) (store.Account, error) {
	a, err := p.Invited(ctx, hash, now)
	if err != nil {
		return a, err
	}
	phc, err := p.newHash(ctx, a.Name, password)
	if err != nil {
		return a, err
	}
	if err := p.store.UseLink(ctx, hash, a, phc, now); err != nil {
		return a, outworn(err)
	}
	return p.store.Account(ctx, a.Name)
}

func outworn(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return &Refusal{Kind: Missing, Text: "this link does not work, or does not work any more",
			Hint: "it works once and for a day; an administrator of this server makes another with `plumb account passwd NAME`"}
	}
	return err
}

// HasLocal tells whether anybody could sign in with a password.
func (p *People) HasLocal(ctx context.Context) (bool, error) { return p.store.HasLocalAccounts(ctx) }
