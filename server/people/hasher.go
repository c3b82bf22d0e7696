package people

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"sync/atomic"
	"time"

	"golang.org/x/text/unicode/norm"
)

// How many passwords are hashed at once, which bounds the memory, and how many wait for that.
const (
	hashesAtOnce  = 2
	hashesWaiting = 32
	hashPatience  = 20 * time.Second
)

// hasher hashes passwords, few at a time.
type hasher struct {
	cost    Cost
	slots   chan struct{}
	waiting atomic.Int32
	// nobody is compared with when there is no account, so that this takes as long.
	nobody digest
}

func newHasher(c Cost) *hasher {
	return &hasher{cost: c, slots: make(chan struct{}, hashesAtOnce), nobody: digest{Cost: c, salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}}
}

// hash returns a password's PHC string.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	leave, err := h.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	return digest{Cost: h.cost, salt: salt, key: h.cost.derive(normal(password), salt, keyBytes)}.String(), nil
}

// match tells whether the password has the hash, and whether the hash costs less than it should
// by now. An empty hash matches nothing and takes as long.
func (h *hasher) match(ctx context.Context, phc, password string) (ok, cheap bool, err error) {
	d := h.nobody
	if phc != "" {
		if d, err = parsePHC(phc); err != nil {
			return false, false, err
		}
	}
	leave, err := h.enter(ctx)
	if err != nil {
		return false, false, err
	}
	defer leave()
	same := subtle.ConstantTimeCompare(d.derive(normal(password), d.salt, len(d.key)), d.key) == 1
	return same && phc != "", d.less(h.cost), nil
}

// enter waits for a place; there are few, and few may wait.
func (h *hasher) enter(ctx context.Context) (leave func(), err error) {
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > hashesWaiting {
		return nil, busy()
	}
	patience, cancel := context.WithTimeout(ctx, hashPatience)
	defer cancel()
	select {
	case h.slots <- struct{}{}:
		return func() { <-h.slots }, nil
	case <-patience.Done():
		return nil, busy()
	}
}

func busy() error {
	return &Refusal{Kind: Busy, Text: "too many people sign in at this moment", Hint: "try again in a few seconds", After: 5 * time.Second}
}

// normal makes one password of the different bytes that keyboards send for the same letters.
func normal(password string) string { return norm.NFKC.String(password) }
