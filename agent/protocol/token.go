package protocol

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Token is all that a new host has to know to trust a server and be trusted by it. It is
// used once.
type Token struct {
	// Secret is 256 random bits; the server keeps only its SHA-256.
	Secret string `json:"s"`
	// People, Agents and SSH are addresses host:port: where to enrol, where to check in
	// over HTTPS, where to do both over SSH.
	People string `json:"p"`
	Agents string `json:"a"`
	SSH    string `json:"h"`
	// CA is the SHA-256 of the authority's certificate (DER), in hexadecimal.
	CA string `json:"c"`
	// SSHKey is the server's SSH host key as in authorized_keys.
	SSHKey string `json:"k"`
	// LeaseKey verifies leases, as a note verifier key.
	LeaseKey string `json:"l"`
	// Signers are the release keys to pin, lines of an allowed signers file.
	Signers []string `json:"r"`
}

const tokenPrefix = "plumb1."

// String returns the one-line form that people carry to a host.
func (t Token) String() string {
	raw, err := json.Marshal(t)
	if err != nil {
		panic(err) // strings always encode
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(raw)
}

var errToken = errors.New("copy the whole line that `plumb token create` printed; it begins with " + tokenPrefix)

// ParseToken reads what String wrote.
func ParseToken(s string) (Token, error) {
	body, ok := strings.CutPrefix(strings.TrimSpace(s), tokenPrefix)
	if !ok || len(body) > 32<<10 {
		return Token{}, fmt.Errorf("this is not an enrolment token: %w", errToken)
	}
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return Token{}, fmt.Errorf("the enrolment token is damaged: %w", errToken)
	}
	var t Token
	if err := json.Unmarshal(raw, &t); err != nil || t.Secret == "" || t.CA == "" || len(t.Signers) == 0 || t.LeaseKey == "" {
		return Token{}, fmt.Errorf("the enrolment token is damaged: %w", errToken)
	}
	return t, nil
}
