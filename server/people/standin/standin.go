// Package standin is a made-up OpenID provider for tests, which can also lie.
//
// It is no part of any program: only tests import it. It is strict where a real provider is, about
// codes, verifiers and secrets, and signs whatever a test has it claim.
package standin

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Provider is a provider whose every person says yes at once.
type Provider struct {
	// Issuer is its address; ClientID and Secret are its one client's.
	Issuer, ClientID, Secret string
	// Now is its clock.
	Now func() time.Time
	// Claims are what it says about the person, in the ID token; Info are what it says when asked.
	Claims, Info map[string]any
	// Describe changes its description, Forge the claims of an ID token before they are signed, and
	// Sign takes the place of the signature.
	Describe func(description map[string]any)
	Forge    func(claims map[string]any)
	Sign     func(p *Provider, payload []byte) string
	// Broken is the status that it answers with instead of anything else; 0 for none.
	Broken int

	mu    sync.Mutex
	key   *ecdsa.PrivateKey
	codes map[string]grant
	// Asked counts the requests by path.
	Asked map[string]int
}

type grant struct{ nonce, challenge, redirect string }

// New makes a provider; its issuer is set once it has an address.
func New(client, secret string, now func() time.Time) *Provider {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return &Provider{ClientID: client, Secret: secret, Now: now, key: key, codes: map[string]grant{}, Asked: map[string]int{},
		Claims: map[string]any{"sub": "17", "preferred_username": "grace"}}
}

// ServeHTTP answers as a provider does.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Asked[r.URL.Path]++
	if p.Broken != 0 {
		http.Error(w, "out of order", p.Broken)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		reply(w, p.description())
	case "/keys":
		reply(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	case "/authorize":
		p.authorize(w, r)
	case "/token":
		p.token(w, r)
	case "/userinfo":
		reply(w, p.Info)
	default:
		http.NotFound(w, r)
	}
}

func reply(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func (p *Provider) description() map[string]any {
	d := map[string]any{
		"issuer": p.Issuer, "authorization_endpoint": p.Issuer + "/authorize", "token_endpoint": p.Issuer + "/token", "jwks_uri": p.Issuer + "/keys",
		"id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"}, "authorization_response_iss_parameter_supported": true,
	}
	if p.Info != nil {
		d["userinfo_endpoint"] = p.Issuer + "/userinfo"
	}
	if p.Describe != nil {
		p.Describe(d)
	}
	return d
}

func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != p.ClientID || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" {
		http.Error(w, "bad request: "+r.URL.RawQuery, http.StatusBadRequest)
		return
	}
	code := rand.Text()
	p.codes[code] = grant{q.Get("nonce"), q.Get("code_challenge"), q.Get("redirect_uri")}
	back := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.Issuer}}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	id, secret, basic := r.BasicAuth()
	if !basic {
		id = r.FormValue("client_id")
	}
	g, ok := p.codes[r.FormValue("code")]
	delete(p.codes, r.FormValue("code"))
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	switch {
	case id != p.ClientID || secret != p.Secret:
		fail(w, http.StatusUnauthorized, "invalid_client")
		return
	case !ok || base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge || r.FormValue("redirect_uri") != g.redirect:
		fail(w, http.StatusBadRequest, "invalid_grant")
		return
	}
	reply(w, map[string]any{"access_token": "opaque", "token_type": "Bearer", "expires_in": 60, "id_token": p.idToken(g.nonce)})
}

func fail(w http.ResponseWriter, code int, word string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"error":%q}`, word)
}

func (p *Provider) idToken(nonce string) string {
	claims := map[string]any{"iss": p.Issuer, "aud": p.ClientID, "nonce": nonce, "iat": p.Now().Unix(), "exp": p.Now().Add(time.Minute).Unix()}
	maps.Copy(claims, p.Claims)
	if p.Forge != nil {
		p.Forge(claims)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	if p.Sign != nil {
		return p.Sign(p, payload)
	}
	return Signed(jose.ES256, jose.JSONWebKey{Key: p.key, KeyID: "k"}, payload)
}

// Public is the key that everybody may know.
func (p *Provider) Public() crypto.PublicKey { return p.key.Public() }

// Signed is a token with the payload, signed by the key.
func Signed(alg jose.SignatureAlgorithm, key any, payload []byte) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		panic(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}

// Unsigned is a token that claims to need no signature.
func Unsigned(_ *Provider, payload []byte) string {
	b64 := base64.RawURLEncoding
	return b64.EncodeToString([]byte(`{"alg":"none"}`)) + "." + b64.EncodeToString(payload) + "."
}
