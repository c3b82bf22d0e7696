package people

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// FlowLife is how long somebody may take to sign in at the provider.
const FlowLife = 10 * time.Minute

// A flow is one way through the provider and back. All that binds its ends together is derived from
// one secret, which only the browser keeps: the state of the redirect, the nonce of the ID token
// and the verifier of the code. The server keeps nothing, so that strangers cannot fill it.

// Begin returns the secret of a new flow, and where at the provider to go with it.
func (p *Provider) Begin(ctx context.Context) (secret, address string, err error) {
	f, err := p.discover(ctx)
	if err != nil {
		return "", "", err
	}
	secret = Secret()
	return secret, f.oauth.AuthCodeURL(state(secret), oidc.Nonce(nonce(secret)), oauth2.S256ChallengeOption(verifier(secret))), nil
}

func state(secret string) string    { return derived(secret, "state") }
func nonce(secret string) string    { return derived(secret, "nonce") }
func verifier(secret string) string { return derived(secret, "verifier") }

// Finish takes what the provider sent the browser back with, and the secret that the browser kept,
// and returns who it is.
func (p *Provider) Finish(ctx context.Context, query url.Values, secret string) (Person, error) {
	if err := p.checkReturn(query, secret); err != nil {
		return Person{}, err
	}
	f, err := p.discover(ctx)
	if err != nil {
		return Person{}, err
	}
	if err := p.checkSender(query, f.names); err != nil {
		return Person{}, err
	}
	if word := query.Get("error"); word != "" {
		return Person{}, p.refused(word, query.Get("error_description"))
	}
	token, err := f.oauth.Exchange(p.context(ctx), query.Get("code"), oauth2.VerifierOption(verifier(secret)))
	if err != nil {
		return Person{}, p.notTaken(err)
	}
	id, err := p.verify(ctx, f, token, secret)
	if err != nil {
		return Person{}, p.invalid(err)
	}
	return p.person(ctx, f, token, id)
}

// checkReturn wants the redirect to belong to the browser that it reaches.
func (p *Provider) checkReturn(query url.Values, secret string) error {
	if secret != "" && subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(state(secret))) == 1 {
		return nil
	}
	return &Refusal{Kind: Denied, Text: "this sign-in was not begun in this browser, or too long ago",
		Hint: fmt.Sprintf("begin again here; the pages have to be open at %s for that", strings.TrimSuffix(p.redirect, CallbackPath))}
}

// checkSender wants a redirect that says whose it is to be the provider's (RFC 9207).
func (p *Provider) checkSender(query url.Values, must bool) error {
	if iss := query.Get("iss"); iss == p.config.Issuer || iss == "" && !must {
		return nil
	}
	return p.invalid(fmt.Errorf("the redirect is from the issuer %q", query.Get("iss")))
}

// verify checks all that an ID token has to satisfy.
func (p *Provider) verify(ctx context.Context, f *found, token *oauth2.Token, secret string) (*oidc.IDToken, error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return nil, errors.New("the provider sent no ID token")
	}
	id, err := f.verifier.Verify(p.context(ctx), raw)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce(secret))) != 1 {
		return nil, errors.New("the ID token has another nonce")
	}
	var more struct {
		Party string `json:"azp"`
	}
	if err := id.Claims(&more); err != nil {
		return nil, err
	}
	if more.Party != "" && more.Party != p.config.ClientID || more.Party == "" && len(id.Audience) > 1 {
		return nil, fmt.Errorf("the ID token was given to %q", more.Party)
	}
	if id.Subject == "" || id.Issuer != p.config.Issuer {
		return nil, errors.New("the ID token does not say who it is about")
	}
	if id.AccessTokenHash != "" {
		return id, id.VerifyAccessToken(token.AccessToken)
	}
	return id, nil
}

// invalid is told to people in one sentence; the log has the reason.
func (p *Provider) invalid(err error) error {
	return &unreachable{Refusal: Refusal{Kind: Denied, Text: fmt.Sprintf("what %s says about you cannot be trusted", p.Name()),
		Hint: "begin again; if that does not help, an administrator of this server finds the reason in its log"}, cause: err}
}

// notTaken is about a code that the provider does not change for a token.
func (p *Provider) notTaken(err error) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		return p.away(err)
	}
	// Not all providers say invalid_grant; what is not about the client is about the code.
	if code := answer.ErrorCode; answer.Response.StatusCode < 500 && code != "" && code != "invalid_client" && code != "unauthorized_client" {
		return &unreachable{Refusal: Refusal{Kind: Denied, Text: fmt.Sprintf("%s does not know this sign-in, or not any more", p.Name()), Hint: "begin again"}, cause: err}
	}
	return p.away(fmt.Errorf("%w (is the client secret right?)", err))
}

// refused is what the provider says instead of a code.
func (p *Provider) refused(word, description string) error {
	return &unreachable{Refusal: Refusal{Kind: Denied, Text: fmt.Sprintf("%s did not sign you in (%s)", p.Name(), plain(word)),
		Hint: "begin again; if that does not help, ask whoever runs it"}, cause: fmt.Errorf("the provider answered %q: %q", word, description)}
}

// plain leaves of a foreign word what the standard allows in it, and not too much.
func plain(word string) string {
	out := strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && r != '"' && r != '\\' {
			return r
		}
		return -1
	}, word)
	return out[:min(len(out), 40)]
}
