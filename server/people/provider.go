package people

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// CallbackPath is where the provider sends people back to.
const CallbackPath = "/signin/oidc/callback"

// failureLife is for how long a provider that did not answer is not asked again.
const failureLife = 5 * time.Second

// algorithms are those by which an ID token may be signed: none and the symmetric ones are not.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// Provider is an OpenID provider. It is asked for its description when the first person comes,
// so that a server starts also while its provider is down.
type Provider struct {
	config   Config
	secret   string
	redirect string
	client   *http.Client
	now      func() time.Time

	mu     sync.Mutex
	found  *found
	failed error
	until  time.Time
}

// found is a provider that has described itself.
type found struct {
	oauth    oauth2.Config
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
	// names is true when the provider says in its redirects that they are its own (RFC 9207).
	names bool
}

// NewProvider reads what the settings name; pages is the address of the pages if the settings
// have none, https://HOST:PORT.
func NewProvider(c Config, pages string, now func() time.Time) (*Provider, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	secret, err := c.secret()
	if err != nil {
		return nil, err
	}
	client, err := newClient(c.CA)
	if err != nil {
		return nil, err
	}
	return &Provider{config: c, secret: secret, client: client, now: now, redirect: or(c.Address, pages) + CallbackPath}, nil
}

// Name is what people call the provider.
func (p *Provider) Name() string { return p.config.name() }

// discover returns the provider's description of itself. The first one that is good stays.
func (p *Provider) discover(ctx context.Context) (*found, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	if p.failed != nil && p.now().Before(p.until) {
		return nil, p.failed
	}
	// Whoever asked first may go away; the answer is for all.
	f, err := p.look(context.WithoutCancel(ctx))
	if err != nil {
		p.failed, p.until = p.away(err), p.now().Add(failureLife)
		return nil, p.failed
	}
	p.found = f
	return f, nil
}

func (p *Provider) away(err error) error {
	return &unreachable{
		Refusal: Refusal{Kind: Away, Text: fmt.Sprintf("%s cannot be used to sign in at this moment", p.Name()),
			Hint: "try again in a minute; an administrator of this server finds the reason in its log and can come in with `plumb web`"},
		cause: err,
	}
}

// unreachable is a refusal whose reason is for the log.
type unreachable struct {
	Refusal
	cause error
}

// As lets callers see the refusal.
func (u *unreachable) As(target any) bool {
	if r, ok := target.(**Refusal); ok {
		*r = &u.Refusal
		return true
	}
	return false
}

// Reason returns what of an error only the log may have; nil when there is nothing.
func Reason(err error) error {
	var u *unreachable
	if errors.As(err, &u) {
		return u.cause
	}
	return nil
}

// context gives the library our client.
func (p *Provider) context(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, p.client)
}

func (p *Provider) look(ctx context.Context) (*found, error) {
	provider, err := oidc.NewProvider(p.context(ctx), p.config.Issuer)
	if err != nil {
		return nil, fmt.Errorf("cannot read the description of %s: %w", p.config.Issuer, err)
	}
	var more struct {
		Keys    string   `json:"jwks_uri"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
		Names   bool     `json:"authorization_response_iss_parameter_supported"`
	}
	if err := provider.Claims(&more); err != nil {
		return nil, fmt.Errorf("cannot read the description of %s: %w", p.config.Issuer, err)
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = p.style(more.Methods)
	for _, address := range []string{endpoint.AuthURL, endpoint.TokenURL, more.Keys} {
		if u, err := url.Parse(address); err != nil || u.Host == "" || !safe(u) {
			return nil, fmt.Errorf("the description of %s names the address %q, which is not https", p.config.Issuer, address)
		}
	}
	return &found{
		oauth:    oauth2.Config{ClientID: p.config.ClientID, ClientSecret: p.secret, Endpoint: endpoint, RedirectURL: p.redirect, Scopes: p.config.scopes()},
		provider: provider, names: more.Names,
		verifier: provider.Verifier(&oidc.Config{ClientID: p.config.ClientID, SupportedSigningAlgs: algorithms, Now: p.now}),
	}, nil
}

// style is how the secret is shown. Trying both ways out would use the code up.
func (p *Provider) style(methods []string) oauth2.AuthStyle {
	if p.secret == "" {
		return oauth2.AuthStyleInParams
	}
	for _, m := range methods {
		if m == "client_secret_basic" {
			return oauth2.AuthStyleInHeader
		}
	}
	if len(methods) > 0 {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader // what holds when nothing is said
}
