package people

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// deviceSetting is the setting with the key that marks browsers.
const deviceSetting = "people.device-key"

var b64 = base64.RawURLEncoding

// Secret returns 256 random bits as text.
func Secret() string {
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		panic(err) // the kernel's random source does not fail
	}
	return b64.EncodeToString(raw)
}

// derived is a value that only who has the secret can make, and that does not tell the secret.
func derived(secret string, parts ...string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strings.Join(parts, "\x00")))
	return b64.EncodeToString(mac.Sum(nil))
}

// newDevice marks a browser in which the account's person has signed in. The mark opens nothing;
// it only has tries of its own.
func (p *People) newDevice(ctx context.Context, account string) (string, error) {
	key, err := p.store.SecretSetting(ctx, deviceSetting, Secret)
	if err != nil {
		return "", err
	}
	name := Secret()[:22]
	return name + "." + derived(key, account, name), nil
}

// device returns the name of the browser when the mark is one for the account, else nothing.
func (p *People) device(ctx context.Context, account, mark string) string {
	name, proof, ok := strings.Cut(mark, ".")
	if !ok {
		return ""
	}
	key, err := p.store.SecretSetting(ctx, deviceSetting, Secret)
	if err != nil || !hmac.Equal([]byte(proof), []byte(derived(key, account, name))) {
		return ""
	}
	return name
}
