package policies

import (
	"fmt"
	"strings"
	"time"
)

// Flapping is a fight for a resource: it was mended again and again, and somebody undid it each
// time.
type Flapping struct {
	// Since is the first of the mends that were too many, Until when it is mended again.
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// Mends is how many there were.
	Mends int `json:"mends"`
	// Writers are the programs that undid them, with the user who logged in, as far as the host's
	// kernel told: puppet, vim of alice.
	Writers []string `json:"writers,omitempty"`
}

// Fighters says who fights: plumb-agent and puppet.
func (f Flapping) Fighters() string {
	if len(f.Writers) == 0 {
		return "plumb-agent and somebody unknown"
	}
	return "plumb-agent and " + strings.Join(f.Writers, ", ")
}

// String is for people.
func (f Flapping) String() string {
	return fmt.Sprintf("it flaps: it was mended %d times since %s and changed again each time, by %s; it is left alone until %s",
		f.Mends, f.Since.UTC().Format(time.RFC3339), f.Fighters(), f.Until.UTC().Format(time.RFC3339))
}
