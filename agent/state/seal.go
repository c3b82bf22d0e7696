package state

import (
	"bytes"
	"errors"
	"os"

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
	const tail = "\"}\n"
	sum := inventory.Digest(body)
	sealed := append(make([]byte, 0, len(body)+len(sealMark)+len(sum)+len(tail)), body...)
	return append(append(append(sealed, sealMark...), sum...), tail...)
}

// SealOf is the digest in the seal of a file of the folder, which names all that is in it; empty when
// there is none. Only the end of the file is read.
func (d *Dir) SealOf(name string) string {
	f, err := os.Open(d.file(name))
	if err != nil {
		return ""
	}
	defer f.Close()
	end := make([]byte, len(sealMark)+len(inventory.Digest(nil))+len("\"}\n"))
	info, err := f.Stat()
	if err != nil || info.Size() < int64(len(end)) {
		return ""
	}
	if _, err := f.ReadAt(end, info.Size()-int64(len(end))); err != nil {
		return ""
	}
	seal, ok := bytes.CutPrefix(end, []byte(sealMark))
	if !ok {
		return ""
	}
	return string(bytes.TrimSuffix(seal, []byte("\"}\n")))
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
	return append(append(make([]byte, 0, at+1), raw[:at]...), '}'), nil
}
