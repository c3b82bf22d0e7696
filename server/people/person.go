package people

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"plumb/server/store"
)

// Person is somebody as the provider knows them. Issuer and subject are who they are; a name or an
// address may be another person's tomorrow.
type Person struct {
	Issuer, Subject, Name, Role string
}

// person reads the claims. The provider's page about the person is asked where the ID token does
// not have the claim that decides.
func (p *Provider) person(ctx context.Context, f *found, token *oauth2.Token, id *oidc.IDToken) (Person, error) {
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return Person{}, p.invalid(err)
	}
	words, ok := wordsOf(claims, p.config.roleClaim())
	if !ok && f.provider.UserInfoEndpoint() != "" {
		more, err := p.more(ctx, f, token, id.Subject)
		if err != nil {
			return Person{}, err
		}
		for name, value := range claims {
			more[name] = value // what is signed wins
		}
		claims = more
		words, ok = wordsOf(claims, p.config.roleClaim())
	}
	person := Person{Issuer: id.Issuer, Subject: id.Subject, Name: p.nameOf(claims, id.Subject), Role: p.roleOf(words)}
	if person.Role == "" {
		return Person{}, p.roleless(person.Name, words, ok)
	}
	return person, nil
}

// more asks for the person's claims; they must be about the person of the ID token.
func (p *Provider) more(ctx context.Context, f *found, token *oauth2.Token, subject string) (map[string]any, error) {
	info, err := f.provider.UserInfo(p.context(ctx), oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, p.away(fmt.Errorf("cannot read the claims about the person: %w", err))
	}
	if info.Subject != subject {
		return nil, p.invalid(fmt.Errorf("the claims are about %q, the ID token is about %q", info.Subject, subject))
	}
	claims := map[string]any{}
	if err := info.Claims(&claims); err != nil {
		return nil, p.invalid(err)
	}
	return claims, nil
}

// claimAt finds a claim. Its name may be a path, such as realm_access.roles.
func claimAt(claims map[string]any, name string) (any, bool) {
	if value, ok := claims[name]; ok {
		return value, true
	}
	first, rest, more := strings.Cut(name, ".")
	inner, is := claims[first].(map[string]any)
	if !more || !is {
		return nil, false
	}
	return claimAt(inner, rest)
}

// wordsOf reads a claim that is a word or a list of words.
func wordsOf(claims map[string]any, name string) (words []string, ok bool) {
	value, ok := claimAt(claims, name)
	list, is := value.([]any)
	if !is {
		list = []any{value}
	}
	for _, one := range list {
		if word, is := one.(string); is {
			words = append(words, word)
		}
	}
	return words, ok
}

// roleOf is the strongest role that the words give.
func (p *Provider) roleOf(words []string) string {
	best := -1
	for _, w := range words {
		best = max(best, slices.Index(Roles, p.config.Roles[w]))
	}
	if best < 0 {
		return ""
	}
	return Roles[best]
}

// roleless says what is missing, for the person to take to whoever can give it.
func (p *Provider) roleless(name string, words []string, ok bool) error {
	claim := p.config.roleClaim()
	text := fmt.Sprintf("%s knows you as %s, but says nothing in the claim %q", p.Name(), name, claim)
	if ok && len(words) > 0 {
		text = fmt.Sprintf("%s knows you as %s, and nothing in the claim %q gives a role here: it has %s", p.Name(), name, claim, few(words))
	}
	return &Refusal{Kind: Barred, Text: text,
		Hint: fmt.Sprintf("ask whoever runs %s for one of the words that have a role here; an administrator of this server finds them under oidc.roles in its settings", p.Name())}
}

func few(words []string) string {
	const most = 10
	quoted := make([]string, 0, most)
	for _, w := range words[:min(len(words), most)] {
		quoted = append(quoted, fmt.Sprintf("%q", w))
	}
	if len(words) > most {
		quoted = append(quoted, fmt.Sprintf("and %d more", len(words)-most))
	}
	return strings.Join(quoted, ", ")
}

// nameOf is what the person is called, with the provider's host behind it: nobody from there can
// pass for a local account, which never has an @.
func (p *Provider) nameOf(claims map[string]any, subject string) string {
	for _, claim := range []string{p.config.nameClaim(), "email", "name"} {
		text, _ := claims[claim].(string)
		if name := tidy(text); name != "" {
			return name + "@" + p.config.host()
		}
	}
	return "subject-" + derived("name", subject)[:10] + "@" + p.config.host()
}

// tidy makes a name of what can be typed on a command line.
func tidy(text string) string {
	name := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, strings.ToLower(text)), "-._")
	return name[:min(len(name), 63)]
}

// Arrive returns the account of somebody whom the provider knows, and makes it at their first
// time. A role that has changed since ends the sessions that have the old one.
func (p *People) Arrive(ctx context.Context, who Person, now time.Time) (store.Account, error) {
	a, err := p.store.AccountBySubject(ctx, who.Issuer, who.Subject)
	if errors.Is(err, store.ErrNotFound) {
		return p.firstTime(ctx, who, now)
	}
	if err != nil {
		return a, err
	}
	if !a.Disabled.IsZero() {
		return a, &Refusal{Kind: Barred, Text: fmt.Sprintf("the account %s is disabled here", a.Name), Hint: "ask an administrator of this server"}
	}
	if a.Role != who.Role {
		if err := p.store.SetRole(ctx, a.Name, who.Role); err != nil {
			return a, err
		}
		a.Role = who.Role
	}
	return a, nil
}

// firstTime makes the account. If somebody else had the name before, the new one gets a mark of
// the subject, for the record of acts must not take the two for one.
func (p *People) firstTime(ctx context.Context, who Person, now time.Time) (store.Account, error) {
	a := store.Account{Name: who.Name, Role: who.Role, Issuer: who.Issuer, Subject: who.Subject, Created: now, CreatedBy: who.Issuer}
	err := p.store.AddAccount(ctx, a)
	if errors.Is(err, store.ErrConflict) {
		name, host, _ := strings.Cut(who.Name, "@")
		a.Name = name + "-" + strings.ToLower(tidy(derived("name", who.Subject)))[:6] + "@" + host
		err = p.store.AddAccount(ctx, a)
	}
	return a, err
}
