package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/ssh"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/server/people"
	"plumb/server/store"
	"plumb/server/views"
)

// How long secrets live, without a wish and at the most.
const (
	enrolLife, enrolMost = time.Hour, 30 * 24 * time.Hour
	apiLife, apiMost     = 30 * 24 * time.Hour, 90 * 24 * time.Hour
	signInLife           = 10 * time.Minute
)

// APITokenPrefix begins the token of a person, so that scanners for leaked secrets find it.
const APITokenPrefix = "plumb_"

// TokenRequest asks for a token: for a host to enrol with, or for a person when it has a role.
type TokenRequest struct {
	Name   string            `json:"name"`
	Role   string            `json:"role"`
	Labels map[string]string `json:"labels"`
	// TTL is how long it is good for, in seconds; 0 takes the default.
	TTL int64 `json:"ttl"`
}

// TokenMade is the only answer that ever holds a token's secret.
type TokenMade struct {
	Secret string      `json:"token"`
	Token  views.Token `json:"about"`
}

func (a *API) createToken(c *Call) (any, error) {
	var in TokenRequest
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	life, err := in.check()
	if err != nil {
		return nil, err
	}
	text, hash, err := a.mint(c, in.Role)
	if err != nil {
		return nil, err
	}
	t, err := a.keepToken(c.Request.Context(), shortID, store.Token{
		Hash: hash, Role: in.Role, Name: in.Name, Labels: in.Labels,
		Created: c.Now, Expires: c.Now.Add(life), CreatedBy: c.Caller.Name,
	})
	if err != nil {
		return nil, err
	}
	return TokenMade{Secret: text, Token: views.TokenOf(t, c.Now)}, a.record(c, "create token", t.ID)
}

// shortID is an ID that people can type. With 100,000 of them two are more likely the same than not.
func shortID() string { return uuid.NewString()[:8] }

// keepToken stores a token under an ID that no other has.
func (a *API) keepToken(ctx context.Context, draw func() string, t store.Token) (store.Token, error) {
	const draws = 10
	err := store.ErrConflict
	for n := 0; n < draws && errors.Is(err, store.ErrConflict); n++ {
		t.ID = draw()
		err = a.Store.CreateToken(ctx, t)
	}
	return t, err
}

// mint makes a secret: the text that is shown once, and the hash that is kept.
func (a *API) mint(c *Call, role string) (text, hash string, err error) {
	secret := people.Secret()
	if role != "" {
		return APITokenPrefix + secret, HashSecret(APITokenPrefix + secret), nil
	}
	signers, err := a.Policy.Signers(c.Request.Context())
	if err != nil {
		return "", "", err
	}
	token := protocol.Token{
		Secret: secret, People: a.Addresses.People, Agents: a.Addresses.Agents, SSH: a.Addresses.SSH,
		CA: a.Authority.CADigest(), LeaseKey: a.Authority.LeaseKey(), Signers: signers,
		SSHKey: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(a.Authority.SSHHostKey().PublicKey()))),
	}
	return token.String(), HashSecret(secret), nil
}

func (in TokenRequest) check() (time.Duration, error) {
	life, most := enrolLife, enrolMost
	if in.Role != "" {
		life, most = apiLife, apiMost
	}
	if in.TTL != 0 {
		life = time.Duration(in.TTL) * time.Second
	}
	switch {
	case in.Role != "" && !IsRole(in.Role):
		return 0, badRequest(fmt.Sprintf("there is no role %q", in.Role), "the roles are viewer, auditor, operator and admin")
	case in.Role != "" && in.Name == "":
		return 0, badRequest("a person's token needs a name", "add --name, so that the record says whose it was")
	case in.TTL < 0 || life > most:
		return 0, badRequest("the token would live too long", fmt.Sprintf("%d days is the most", most/(24*time.Hour)))
	}
	return life, in.checkHost()
}

func (in TokenRequest) checkHost() error {
	if in.Role == "" && in.Name != "" {
		if err := inventory.CheckName(in.Name); err != nil {
			return badRequest(err.Error(), "")
		}
	}
	for key, value := range in.Labels {
		if err := inventory.CheckLabel(key, value); err != nil {
			return badRequest(err.Error(), "")
		}
	}
	return nil
}

func (a *API) tokens(c *Call) (any, error) { return a.Views().Tokens(c.Request.Context(), c.Now) }

func (a *API) revokeToken(c *Call) (any, error) {
	id := c.Param("id")
	err := a.Store.RevokeToken(c.Request.Context(), id, c.Now)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound(fmt.Sprintf("there is no token %q", id), "`plumb token list` shows them")
	}
	if err != nil {
		return nil, err
	}
	return nil, a.record(c, "revoke token", id)
}

func (a *API) authors(c *Call) (any, error) { return a.Views().Authors(c.Request.Context()) }

// AuthorRequest names a person and their SSH public key.
type AuthorRequest struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

func (a *API) addAuthor(c *Call) (any, error) {
	var in AuthorRequest
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if err := inventory.CheckName(strings.ToLower(in.Name)); err != nil {
		return nil, badRequest(fmt.Sprintf("the author's name %q is not usable", in.Name), "use letters, digits, dots and dashes")
	}
	key, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(in.Key))
	if err != nil || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, badRequest("the file does not hold one SSH public key", "name the .pub file, such as ~/.ssh/id_ed25519.pub")
	}
	author := store.Author{
		Name: in.Name, Key: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))),
		Fingerprint: ssh.FingerprintSHA256(key), Added: c.Now, AddedBy: c.Caller.Name,
	}
	if err := a.Store.AddAuthor(c.Request.Context(), author); err != nil {
		return nil, err
	}
	return views.AuthorOf(author), a.record(c, "add author", in.Name)
}

func (a *API) removeAuthor(c *Call) (any, error) {
	name := c.Param("name")
	err := a.Store.RemoveAuthor(c.Request.Context(), name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound(fmt.Sprintf("there is no author %q", name), "`plumb author list` shows them")
	}
	if err != nil {
		return nil, err
	}
	a.DropAuthor(name)
	return nil, a.record(c, "remove author", name)
}

func (a *API) acts(c *Call) (any, error) { return a.Views().Acts(c.Request.Context(), 500) }

// record keeps who did what.
func (a *API) record(c *Call, what, detail string) error {
	return a.Store.AddAct(c.Request.Context(), store.Act{At: c.Now, Who: c.Caller.Name, What: what, Detail: detail})
}

// LinkRequest asks for a sign-in link for a person.
type LinkRequest struct {
	Name string `json:"name"`
	Role string `json:"role"`
}

// Link is a sign-in link that works once and for ten minutes.
type Link struct {
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
}

func (a *API) signInLink(c *Call) (any, error) {
	in := LinkRequest{}
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	if !IsRole(in.Role) || in.Name == "" {
		return nil, badRequest("a sign-in link needs a name and a role", "the roles are viewer, auditor, operator and admin")
	}
	code, expires := people.Secret(), c.Now.Add(signInLife)
	err := a.Store.CreateSignIn(c.Request.Context(), store.SignIn{Hash: HashSecret(code), Role: in.Role, Name: in.Name, Expires: expires})
	if err != nil {
		return nil, err
	}
	link := Link{URL: "https://" + a.Addresses.People + "/signin/" + code, Expires: expires.UTC()}
	return link, a.record(c, "make sign-in link", in.Name+" as "+in.Role)
}

func unknownHost(err error, name string) error {
	if errors.Is(err, store.ErrNotFound) {
		return &Error{Code: http.StatusNotFound, Text: fmt.Sprintf("there is no host %q", name), Hint: "`plumb hosts` lists them"}
	}
	return err
}
