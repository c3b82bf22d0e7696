package agent

import (
	"fmt"
	"time"
)

// maxSkew is how far the host's clock may be off the server's before it is no longer believed
// about windows.
const maxSkew = time.Minute

// timing returns the zone of the host, and why the host cannot tell whether a window is open,
// if it cannot. The words do not change with each second of the skew, because equal results
// are told once.
func timing(j job) (zone *time.Location, untimed string) {
	zone, err := time.LoadLocation(j.zone)
	switch {
	case err != nil:
		return time.UTC, fmt.Sprintf("it needs a window, and the host's own zone is not known: %v", err)
	case j.skew > maxSkew:
		return zone, "it needs a window, and the host's clock is more than a minute ahead of the server's"
	case j.skew < -maxSkew:
		return zone, "it needs a window, and the host's clock is more than a minute behind the server's"
	}
	return zone, ""
}
