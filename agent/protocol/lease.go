package protocol

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"plumb/inventory"
)

// Lease says which release one host may run, and that this is fresh. The server's online
// key signs it; what the release contains is for its own signature to say.
type Lease struct {
	// Host is the only host it speaks to.
	Host inventory.HostID `json:"host"`
	// Counter never goes down for a host.
	Counter uint64 `json:"counter"`
	// Release is the number, Tag the SHA-256 of the signed tag object, Bundle that of the bundle.
	Release uint64 `json:"release"`
	Tag     string `json:"tag"`
	Bundle  string `json:"bundle"`
	// Issued and Expires bound it. Past Expires a host mends drift but takes no new release.
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires"`
	// Freeze stops every change but the mending of drift.
	Freeze bool `json:"freeze,omitempty"`
	// Patches are the patch cycles that the host may take part in, one for each rollout.
	Patches []PatchGrant `json:"patches,omitempty"`
	// Checkpoint is the newest checkpoint of the evidence log, for the host to witness.
	Checkpoint string `json:"checkpoint,omitempty"`
}

// PatchGrant lets a host take part in a patch cycle. What may be installed at all is for the
// signed policy to say.
type PatchGrant struct {
	Rollout string `json:"rollout"`
	// Cycle counts from 1 for each rollout. Set is the SHA-256 of the JSON of a patch.Set.
	Cycle uint64 `json:"cycle"`
	Set   string `json:"set"`
	// Offered is when the cycle was first open to the host's ring.
	Offered   time.Time `json:"offered"`
	Emergency bool      `json:"emergency,omitempty"`
	// Undo wants the versions back that the host had before the cycle.
	Undo bool `json:"undo,omitempty"`
}

// MaxJump is how far a lease's release may run ahead of the last one seen (a stolen online
// key must not be able to use up all numbers).
const MaxJump = 10_000

const leaseHead = "plumb lease v1\n"

// SignLease returns the lease as a signed note.
func SignLease(l Lease, key note.Signer) (string, error) {
	body, err := json.Marshal(l)
	if err != nil {
		return "", fmt.Errorf("cannot encode the lease: %w", err)
	}
	signed, err := note.Sign(&note.Note{Text: leaseHead + string(body) + "\n"}, key)
	if err != nil {
		return "", fmt.Errorf("cannot sign the lease: %w", err)
	}
	return string(signed), nil
}

// OpenLease verifies a signed note with the pinned lease key and returns the lease in it.
// Whether it is for this host, fresh and not older than the last one, the caller decides.
func OpenLease(signed, pinned string) (Lease, error) {
	key, err := note.NewVerifier(pinned)
	if err != nil {
		return Lease{}, fmt.Errorf("the pinned lease key is damaged: %w", err)
	}
	n, err := note.Open([]byte(signed), note.VerifierList(key))
	if err != nil {
		return Lease{}, fmt.Errorf("the lease is not signed by the pinned key: %w", err)
	}
	body, ok := strings.CutPrefix(n.Text, leaseHead)
	if !ok {
		return Lease{}, fmt.Errorf("the signed note is not a lease")
	}
	var l Lease
	if err := json.Unmarshal([]byte(body), &l); err != nil {
		return Lease{}, fmt.Errorf("cannot read the lease: %w", err)
	}
	return l, nil
}
