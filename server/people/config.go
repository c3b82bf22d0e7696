package people

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
)

// Config says where people sign in who have an account elsewhere. The zero value means nowhere.
type Config struct {
	// Issuer is the address of the OpenID provider, as it calls itself; empty for none.
	Issuer string `json:"issuer"`
	// Name is what the button on the sign-in page calls it; the issuer's host when empty.
	Name string `json:"name"`
	// ClientID is what the provider calls this server; ClientSecretFile is a file with the secret
	// that it gave out, empty for a client without one.
	ClientID         string `json:"client_id"`
	ClientSecretFile string `json:"client_secret_file"`
	// Scopes are asked for beside openid; profile when empty.
	Scopes []string `json:"scopes"`
	// NameClaim is the claim with the name that a person is shown by; preferred_username when empty.
	NameClaim string `json:"name_claim"`
	// RoleClaim is the claim that decides about the role, a word or a list of words; groups when empty.
	RoleClaim string `json:"role_claim"`
	// Roles gives a role for a word in that claim. Who has no such word may not come in; who has
	// several gets the strongest role.
	Roles map[string]string `json:"roles"`
	// Address is how people reach the pages, https://HOST[:PORT]; of the server's name and port when empty.
	Address string `json:"address"`
	// CA is a file with certificates to trust beside those of the machine.
	CA string `json:"ca"`
}

// Used tells whether there is a provider.
func (c Config) Used() bool { return c.Issuer != "" }

// Check tells what is wrong with the settings, without asking the provider.
func (c Config) Check() error {
	if !c.Used() {
		if c.ClientID != "" || len(c.Roles) > 0 {
			return errors.New(`oidc has no issuer: set "issuer" to the provider's address, such as https://login.example.org`)
		}
		return nil
	}
	if err := c.checkIssuer(); err != nil {
		return err
	}
	if c.ClientID == "" {
		return errors.New(`oidc has no client_id: register this server with the provider and set "client_id" to what it is called there`)
	}
	if err := c.checkAddress(); err != nil {
		return err
	}
	return c.checkRoles()
}

func (c Config) checkIssuer() error {
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !safe(u) {
		return fmt.Errorf("oidc: %q is not the address of an issuer: it is https://HOST[/PATH], as the provider writes it in its own settings", c.Issuer)
	}
	return nil
}

func (c Config) checkAddress() error {
	u, err := url.Parse(c.Address)
	if c.Address != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil) {
		return fmt.Errorf("oidc: the address %q is not usable: it is https://HOST[:PORT], without a path", c.Address)
	}
	return nil
}

func (c Config) checkRoles() error {
	if len(c.Roles) == 0 {
		return fmt.Errorf(`oidc has no roles, so that nobody could come in: set "roles" to the words of the claim %q and their roles, such as {"plumb-admins": "admin"}`, c.roleClaim())
	}
	for word, role := range c.Roles {
		if !IsRole(role) {
			return fmt.Errorf("oidc gives %q the role %q: the roles are %s", word, role, strings.Join(Roles, ", "))
		}
	}
	return nil
}

// safe tells whether nobody can listen in on the way to the address.
func safe(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

func (c Config) name() string {
	if c.Name != "" {
		return c.Name
	}
	return c.host()
}

func (c Config) host() string {
	u, err := url.Parse(c.Issuer)
	if err != nil {
		return c.Issuer
	}
	return u.Hostname()
}

func (c Config) roleClaim() string { return or(c.RoleClaim, "groups") }
func (c Config) nameClaim() string { return or(c.NameClaim, "preferred_username") }

func (c Config) scopes() []string {
	if len(c.Scopes) == 0 {
		return []string{"openid", "profile"}
	}
	if slices.Contains(c.Scopes, "openid") {
		return c.Scopes
	}
	return append([]string{"openid"}, c.Scopes...)
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func (c Config) secret() (string, error) {
	if c.ClientSecretFile == "" {
		return "", nil
	}
	raw, err := os.ReadFile(c.ClientSecretFile)
	if err != nil {
		return "", fmt.Errorf("cannot read the client_secret_file of oidc: %w", err)
	}
	secret := strings.TrimSpace(string(raw))
	if secret == "" {
		return "", fmt.Errorf("the client_secret_file %s of oidc is empty: write the secret into it that the provider gave out", c.ClientSecretFile)
	}
	return secret, nil
}
