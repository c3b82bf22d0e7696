package trust

import (
	"fmt"
	"strings"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies/bundle"
)

// MaxLease is the longest that a lease may last: a stolen lease key must not be able to
// freeze a host for years.
const MaxLease = 31 * 24 * time.Hour

// Lease verifies a signed lease and returns it with the floors that it raises. It must be for
// this host, not run out, and newer than the last one; the very same lease again is fine.
func Lease(f Floors, signed, key string, host inventory.HostID, now time.Time) (protocol.Lease, Floors, error) {
	l, err := protocol.OpenLease(signed, key)
	if err != nil {
		return protocol.Lease{}, f, err
	}
	digest := inventory.Digest([]byte(signed))
	if err := f.checkLease(l, digest, host, now); err != nil {
		return protocol.Lease{}, f, err
	}
	f.Counter, f.Lease = l.Counter, digest
	if l.Issued.After(f.Time) {
		f.Time = l.Issued
	}
	return l, f, nil
}

func (f Floors) checkLease(l protocol.Lease, digest string, host inventory.HostID, now time.Time) error {
	switch {
	case l.Host != host:
		return fmt.Errorf("the lease is for the host %.40q, not for this one", l.Host)
	case l.Counter < f.Counter:
		return fmt.Errorf("the lease's counter went back from %d to %d: somebody plays old leases", f.Counter, l.Counter)
	case l.Counter == f.Counter && digest != f.Lease:
		return fmt.Errorf("the lease's counter %d was already used by another lease", l.Counter)
	case !now.Before(l.Expires):
		return fmt.Errorf("the lease ran out at %s", l.Expires.UTC().Format(time.RFC3339))
	case !l.Issued.Before(l.Expires) || l.Expires.Sub(l.Issued) > MaxLease:
		return fmt.Errorf("the lease lasts from %s to %s, which no server gives", l.Issued.UTC().Format(time.RFC3339), l.Expires.UTC().Format(time.RFC3339))
	}
	return f.checkNumber(l.Release)
}

// checkNumber holds a release's number against the floors. A host that has seen no release yet
// takes any number: only a signed tag can raise the floors.
func (f Floors) checkNumber(number uint64) error {
	if number < f.Oldest {
		return fmt.Errorf("release %d is older than %d, the oldest that may still run here", number, f.Oldest)
	}
	if f.Release > 0 && number > f.Release && number-f.Release > protocol.MaxJump {
		return fmt.Errorf("release %d is more than %d ahead of %d, the newest one seen", number, protocol.MaxJump, f.Release)
	}
	return nil
}

// Release verifies the tag that an accepted lease names and returns the release in it, with the
// floors that it raises. Nothing of the bundle is needed for that.
func Release(f Floors, l protocol.Lease, tag []byte, signers protocol.Signers) (protocol.Release, Floors, error) {
	if got := inventory.Digest(tag); got != l.Tag {
		return protocol.Release{}, f, fmt.Errorf("the release tag has the digest %.12s, the lease says %.12s", got, l.Tag)
	}
	r, err := protocol.OpenRelease(tag, signers)
	if err != nil {
		return protocol.Release{}, f, err
	}
	if err := f.checkRelease(l, r); err != nil {
		return protocol.Release{}, f, err
	}
	f.Oldest = max(f.Oldest, r.RollbackTo)
	if r.Number > f.Release {
		f.Release, f.Bundle = r.Number, r.Bundle
	}
	return r, f, nil
}

func (f Floors) checkRelease(l protocol.Lease, r protocol.Release) error {
	switch {
	case r.Number != l.Release:
		return fmt.Errorf("the tag is that of release %d, the lease says %d", r.Number, l.Release)
	case r.Bundle != l.Bundle:
		return fmt.Errorf("the tag of release %d names another bundle than the lease", r.Number)
	case r.Size > bundle.MaxBytes:
		return fmt.Errorf("the bundle of release %d would have %d bytes; %d is the most", r.Number, r.Size, bundle.MaxBytes)
	case r.Number == f.Release && f.Bundle != "" && r.Bundle != f.Bundle:
		return fmt.Errorf("release %d was seen before with another bundle", r.Number)
	}
	return f.checkNumber(r.Number)
}

// Bundle checks downloaded bytes against the signed tag, before anything reads them.
func Bundle(r protocol.Release, raw []byte) error {
	if int64(len(raw)) != r.Size {
		return fmt.Errorf("the bundle of release %d has %d bytes, its tag says %d", r.Number, len(raw), r.Size)
	}
	if got := inventory.Digest(raw); got != r.Bundle {
		return fmt.Errorf("the bundle of release %d has the digest %.12s, its tag says %.12s", r.Number, got, r.Bundle)
	}
	return nil
}

// Signers returns the release keys that are in force after a release was taken: those that its
// tree brings, or pinned. A release that is no newer than the last one that brought keys changes
// nothing, for a step back must not bring a withdrawn key back. Keys that cannot be read are an
// error, and so is a file without any: it would lock the host out.
func Signers(f Floors, number uint64, tree bundle.Tree, pinned string) (string, Floors, error) {
	raw, ok := tree[protocol.SignersFile]
	if !ok || number <= f.Signers {
		return pinned, f, nil
	}
	list, err := protocol.ParseSigners(string(raw))
	if err != nil {
		return pinned, f, fmt.Errorf("release %d brings unusable release keys: %w", number, err)
	}
	if len(list) == 0 {
		return pinned, f, fmt.Errorf("release %d brings an empty %s: no later release could be signed", number, protocol.SignersFile)
	}
	f.Signers = number
	return strings.TrimSpace(string(raw)) + "\n", f, nil
}
