package people

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost is how much work argon2id does for one password.
type Cost struct {
	// Memory is in KiB.
	Memory uint32
	// Time is how often it goes over the memory, Threads on how many processors at once.
	Time    uint32
	Threads uint8
}

// Standard is the second recommendation of RFC 9106: 64 MiB, three times, four threads.
func Standard() Cost { return Cost{Memory: 64 << 10, Time: 3, Threads: 4} }

// What a stored hash may ask for at the most, and how long its parts are.
const (
	mostMemory  = 1 << 20
	mostTime    = 64
	mostThreads = 64
	saltBytes   = 16
	keyBytes    = 32
	leastKey    = 16
	mostBytes   = 64
	mostPHC     = 400
)

// digest is a password's hash as it is stored.
type digest struct {
	Cost
	salt, key []byte
}

// derive computes the hash of a password with a salt.
func (c Cost) derive(password string, salt []byte, size int) []byte {
	return argon2.IDKey([]byte(password), salt, c.Time, c.Memory, c.Threads, uint32(size))
}

// String is the PHC form, which names the costs so that they can rise without making old hashes useless.
func (d digest) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, d.Memory, d.Time, d.Threads, b64.EncodeToString(d.salt), b64.EncodeToString(d.key))
}

var errDigest = errors.New("this is not the hash of a password")

// parsePHC reads what String writes, and nothing else: a hash with costs out of all proportion
// would stop the server.
func parsePHC(text string) (digest, error) {
	parts := strings.Split(text, "$")
	if len(text) > mostPHC || len(parts) != 6 {
		return digest{}, errDigest
	}
	var d digest
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &d.Memory, &d.Time, &d.Threads); err != nil {
		return digest{}, errDigest
	}
	var err, err2 error
	d.salt, err = base64.RawStdEncoding.DecodeString(parts[4])
	d.key, err2 = base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || err2 != nil || !d.sensible() || d.String() != text {
		return digest{}, errDigest
	}
	return d, nil
}

func (d digest) sensible() bool {
	return d.Time >= 1 && d.Time <= mostTime && d.Threads >= 1 && d.Threads <= mostThreads &&
		d.Memory >= 8*uint32(d.Threads) && d.Memory <= mostMemory &&
		len(d.salt) >= 8 && len(d.salt) <= mostBytes && len(d.key) >= leastKey && len(d.key) <= mostBytes
}

// less tells whether some part of the cost is below what is wanted now.
func (c Cost) less(than Cost) bool {
	return c.Memory < than.Memory || c.Time < than.Time || c.Threads < than.Threads
}
