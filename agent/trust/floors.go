// Package trust decides what an agent may believe: which lease, which release, which keys,
// which time. It is made of pure functions; who calls them keeps what they return.
//
// A caller must store the Floors that an Accept function returns before it acts on what was
// accepted, or a kill in between would open the way back.
package trust

import "time"

// Floors is what must never go down on a host.
type Floors struct {
	// Counter is the counter of the newest accepted lease, Lease the SHA-256 of that lease.
	Counter uint64 `json:"counter"`
	Lease   string `json:"lease,omitempty"`
	// Release is the highest release whose signature was verified, Bundle its bundle.
	Release uint64 `json:"release"`
	Bundle  string `json:"bundle,omitempty"`
	// Oldest is the oldest release that may still be taken.
	Oldest uint64 `json:"oldest"`
	// Signers is the release that last brought new release keys.
	Signers uint64 `json:"signers,omitempty"`
	// Time is the latest time that an accepted lease told.
	Time time.Time `json:"time"`
}

// Above returns the floors with nothing lower than in old.
func (f Floors) Above(old Floors) Floors {
	if old.Counter > f.Counter {
		f.Counter, f.Lease = old.Counter, old.Lease
	}
	if old.Release > f.Release {
		f.Release, f.Bundle = old.Release, old.Bundle
	}
	if old.Time.After(f.Time) {
		f.Time = old.Time
	}
	f.Oldest = max(f.Oldest, old.Oldest)
	f.Signers = max(f.Signers, old.Signers)
	return f
}

// Clock returns the time to judge certificates and leases by: the latest of the host's own
// clock, the time at which this program was built and the last time that a lease told. A host
// whose clock fell back to 1970 can still renew its certificate, and no clock that is turned
// back makes an expired lease good again.
func Clock(local, built time.Time, f Floors) time.Time {
	now := local
	for _, t := range []time.Time{built, f.Time} {
		if t.After(now) {
			now = t
		}
	}
	return now
}
