package alerts

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The header fields of webhooks.
const (
	// SignatureHeader has "t=SECONDS,v1=HEX": the time of the attempt, in seconds since 1970, and
	// the HMAC-SHA256 of that text, a dot and the body.
	SignatureHeader = "Plumb-Signature"
	// DeliveryHeader has the ID of the message, which is the same at each attempt.
	DeliveryHeader = "Idempotency-Key"
)

// sign returns the signature of a body at a time.
func sign(secret Secret, body []byte, now time.Time) string {
	seconds := strconv.FormatInt(now.Unix(), 10)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac(secret, seconds, body))
}

func mac(secret Secret, seconds string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(seconds + "."))
	h.Write(body)
	return h.Sum(nil)
}

// errSignature is all that a forger learns.
var errSignature = errors.New("the signature is not good")

// Verify tells whether a body was signed with the secret, not longer ago than tolerance. It is what
// a receiver has to do; one that also remembers the IDs of that time cannot be told anything twice.
func Verify(secret Secret, header string, body []byte, now time.Time, tolerance time.Duration) error {
	seconds, sum, ok := strings.Cut(header, ",")
	seconds, timed := strings.CutPrefix(seconds, "t=")
	sum, summed := strings.CutPrefix(sum, "v1=")
	given, err := hex.DecodeString(sum)
	if !ok || !timed || !summed || err != nil || !hmac.Equal(given, mac(secret, seconds, body)) {
		return errSignature
	}
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return errSignature
	}
	if age := now.Sub(time.Unix(unix, 0)).Abs(); age > tolerance {
		return fmt.Errorf("the message was signed %s ago", age.Round(time.Second))
	}
	return nil
}
