package agent

import (
	"fmt"
	"time"

	"plumb/agent/protocol"
	"plumb/agent/trust"
)

// maxSkew is how far the host's clock may be off the server's before it is no longer believed
// about windows.
const maxSkew = time.Minute

// compareClocks notes how far the host's clock is off the server's, by a lease that was made just
// now. One that is refused tells it too: a clock that is days ahead takes every lease for old.
func (r *round) compareClocks(signed string) {
	l, err := protocol.OpenLease(signed, r.id.LeaseKey)
	if err != nil || l.Host != r.id.Host.ID || l.Counter <= r.floors.Counter {
		return // not the server's word, or not its newest
	}
	r.lease.Skew = int(r.Now().Sub(l.Issued) / time.Second)
}

// skew is how far the host's clock is ahead. One that has since gone back behind the last
// lease is wrong, whatever it was at that time.
func (r *round) skew() time.Duration {
	return min(time.Duration(r.lease.Skew)*time.Second, r.Now().Sub(r.floors.Time))
}

// agreed is the time by which waivers are judged. It never goes back behind what a lease said. While
// the host's clock is off it is that of the newest lease: a clock that is years ahead ends no
// waiver, and one that is behind prolongs none.
func (r *round) agreed(now time.Time) time.Time {
	if skew := r.skew(); (skew > maxSkew || skew < -maxSkew) && !r.floors.Time.IsZero() {
		return r.floors.Time
	}
	return trust.Clock(now, r.Built, r.floors)
}

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
