package state

import (
	"bytes"
	"errors"

	"plumb/inventory"
)

// ErrDamaged means that a file is not as it was written.
var ErrDamaged = errors.New("it is not as it was written")

// sealMark comes before the digest of all that stands before it.
const sealMark = `,"sealed":"`

// Seal adds to a JSON object the digest of its bytes, as its last field. Agents that are older read
// over it.
func Seal(object []byte) []byte {
	body, ok := bytes.CutSuffix(bytes.TrimSpace(object), []byte("}"))
	body = bytes.TrimRight(body, "\n ")
	if !ok || bytes.Equal(body, []byte("{")) {
		return object // a list, or nothing at all
	}
	sealed := append(bytes.Clone(body), sealMark...)
	return append(append(sealed, inventory.Digest(body)...), "\"}\n"...)
}

// Unseal checks what [Seal] made and returns the object. What has no seal was written by an older
// agent and passes; a seal that lost its name does, too, for then all else is as it was.
func Unseal(raw []byte) ([]byte, error) {
	at := bytes.LastIndex(raw, []byte(sealMark))
	if at < 0 {
		return bytes.TrimSuffix(raw, []byte("\n")), nil
	}
	if want := inventory.Digest(raw[:at]) + "\"}\n"; string(raw[at+len(sealMark):]) != want {
		return nil, ErrDamaged
	}
	return append(bytes.Clone(raw[:at]), '}'), nil
}
