package inventory

import (
	"fmt"
	"regexp"
	"strings"
)

// HostID is the UUID that the server gives a host at enrolment. Paths, certificates and
// reports use it; the name is only what people read.
type HostID string

// Host is one enrolled machine as policies see it.
type Host struct {
	// ID never changes and is never chosen by the host.
	ID HostID `json:"id"`
	// Name is unique on a server: lower case letters, digits, dots and dashes.
	Name string `json:"name"`
	// Labels were bound to the enrolment token; policy may add to them in a host block.
	Labels map[string]string `json:"labels"`
}

// Lengths are counted apart: a repetition with a number is compiled as often as the number says,
// and every start of a program pays for it.
var (
	hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
	labelKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)
)

const (
	maxHostName = 253
	maxLabelKey = 63
)

// CheckName returns an error that tells what a host name may look like, or nil.
func CheckName(name string) error {
	if len(name) > maxHostName || !hostName.MatchString(name) || strings.Contains(name, "..") {
		return fmt.Errorf("host name %q is not usable: use lower case letters, digits, dots and dashes, 253 at most", name)
	}
	return nil
}

// CheckLabel returns an error that tells what a label may look like, or nil.
func CheckLabel(key, value string) error {
	if len(key) > maxLabelKey || !labelKey.MatchString(key) {
		return fmt.Errorf("label %q is not usable: start with a letter, then letters, digits, _ and -, 63 at most", key)
	}
	if len(value) > 255 || strings.ContainsAny(value, "\x00\n\r") {
		return fmt.Errorf("the value of label %q is not usable: one line of 255 bytes at most", key)
	}
	return nil
}
