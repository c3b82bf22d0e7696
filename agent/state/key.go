package state

import (
	"crypto/rand"
	"fmt"
)

const (
	digestKeyFile  = "hmac.key"
	digestKeyBytes = 32
)

// DigestKey returns the host's own key for digests of secrets, and makes it where there is none. It
// never leaves the host. A damaged one is replaced: digests then only look as if all had changed.
func (d *Dir) DigestKey() ([]byte, error) {
	key, ok, err := d.read(digestKeyFile)
	if err != nil {
		return nil, err
	}
	if ok && len(key) == digestKeyBytes {
		return key, nil
	}
	key = make([]byte, digestKeyBytes)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("cannot make the key for digests: %w", err)
	}
	return key, WriteFile(d.file(digestKeyFile), key)
}
