package views

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"plumb/policies"
)

// Ago says how long since, as people do.
func Ago(d time.Duration) string {
	switch {
	case d < 2*time.Second:
		return "now"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// Words is a status as people say it. What is no status of ours is unknown: no answer is
// ever a pass.
func Words(s policies.Status) string {
	for _, known := range policies.Statuses {
		if s == known {
			return strings.ReplaceAll(string(s), "_", " ")
		}
	}
	return string(policies.Unknown)
}

// StateWords are those of a resource's status, or flapping while two managers fight for it.
func StateWords(s policies.Status, f *policies.Flapping) string {
	if f != nil {
		return "flapping"
	}
	return Words(s)
}

// Fine tells whether a status needs nobody: what is waived was agreed to.
func Fine(s policies.Status) bool {
	return s.Passing() || s == policies.NotApplicable || s == policies.Waived
}

// Short is the head of a commit or digest.
func Short(hash string) string {
	if len(hash) > 8 {
		return hash[:8]
	}
	return hash
}

// Number groups the digits of a large number by thin spaces, which do not break.
func Number(n int) string {
	digits := strconv.Itoa(n)
	if n < 10_000 {
		return digits
	}
	var groups []string
	for len(digits) > 3 {
		groups = append([]string{digits[len(digits)-3:]}, groups...)
		digits = digits[:len(digits)-3]
	}
	return strings.Join(append([]string{digits}, groups...), "\u202f")
}

// Count is a number with its noun.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Number(n) + " " + noun + "s"
}

// Place is where policy declares a thing, file:line; empty when that is not known.
func Place(p policies.Position) string {
	if p.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// OrNothing names the empty value.
func OrNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// Words says who signs releases.
func (p Policy) Words() string {
	if p.Mode == "trial" {
		return "trial mode: this server's own key signs releases"
	}
	return "author mode: signed by " + strings.Join(p.Signers, ", ")
}

// Note is the one thing about a host that a person should know first.
func (h Host) Note() string {
	switch {
	case h.Revoked != nil:
		return "revoked"
	case h.Mismatch:
		return "ALARM: compiled another catalog than the server"
	case h.Problem != "":
		return h.Problem
	case h.Paused != nil:
		return fmt.Sprintf("paused until %s: %s", h.Paused.Until, h.Paused.Reason)
	case h.LeaseExpired:
		return "its lease ran out: it mends drift but takes no new release"
	case h.Audit:
		return "audit only"
	}
	return ""
}
