package protocol

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// SignersFile is where a policy repository keeps its release keys, in the form of ssh-keygen's
// allowed signers file. The release that brings a new one must be signed by the old ones.
const SignersFile = ".plumb/allowed_signers"

// Signer is one person or machine whose key may sign releases.
type Signer struct {
	// Principal is the first of the principals of the line.
	Principal string
	// Key is the SSH public key.
	Key ssh.PublicKey
	// After and Before bound the key's validity; zero leaves it open.
	After, Before time.Time
}

// Signers are the release keys that a host has pinned.
type Signers []Signer

// Fingerprint is the SHA-256 fingerprint as ssh-keygen -l shows it.
func (s Signer) Fingerprint() string { return fingerprint(s.Key) }

func fingerprint(key ssh.PublicKey) string { return ssh.FingerprintSHA256(key) }

func (s Signer) validAt(t time.Time) bool {
	return (s.After.IsZero() || !t.Before(s.After)) && (s.Before.IsZero() || t.Before(s.Before))
}

// Line is the signer's line in an allowed signers file, without a validity.
func (s Signer) Line() string {
	return fmt.Sprintf("%s namespaces=\"git\" %s", s.Principal, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.Key))))
}

// ParseSigners reads an allowed signers file. A line that it does not wholly understand is
// an error: a key must never be trusted more widely than its line says.
func ParseSigners(text string) (Signers, error) {
	var list Signers
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		one, err := parseSigner(line)
		if err != nil {
			return nil, fmt.Errorf("cannot read line %d of the allowed signers: %w", i+1, err)
		}
		list = append(list, one)
	}
	return list, nil
}

func parseSigner(line string) (Signer, error) {
	principals, rest, ok := strings.Cut(line, " ")
	if !ok || strings.ContainsAny(principals, `"*?!`) {
		return Signer{}, fmt.Errorf("it has to begin with a plain name: %.60q", line)
	}
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(strings.TrimSpace(rest)))
	if err != nil {
		return Signer{}, fmt.Errorf("it has no usable public key: %w", err)
	}
	name, _, _ := strings.Cut(principals, ",")
	s := Signer{Principal: name, Key: key}
	for _, option := range options {
		if err := s.option(option); err != nil {
			return Signer{}, err
		}
	}
	return s, nil
}

func (s *Signer) option(text string) (err error) {
	name, value, _ := strings.Cut(text, "=")
	value = strings.Trim(value, `"`)
	switch strings.ToLower(name) {
	case "namespaces":
		if value != Namespace {
			return fmt.Errorf("only namespaces=%q is supported, not %q", Namespace, value)
		}
	case "valid-after":
		s.After, err = parseValidity(value)
	case "valid-before":
		s.Before, err = parseValidity(value)
	default:
		return fmt.Errorf("the option %q is not supported", name)
	}
	return err
}

// parseValidity reads YYYYMMDD or YYYYMMDDHHMM[SS] with a Z for UTC, which we require so
// that every machine reads the same instant.
func parseValidity(value string) (time.Time, error) {
	for _, layout := range []string{"20060102Z", "200601021504Z", "20060102150405Z"} {
		if t, err := time.Parse(layout, value); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time such as 20270131Z or 202701311200Z", value)
}
