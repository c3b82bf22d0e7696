package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

// Limits on the objects of hosts.
const (
	maxResources = 20_000
	maxDepth     = 32
	maxAddress   = 1024
)

const notAsked = "this object was not asked for"

// PutObject stores an object that this host was asked for. Nothing in it is looked at before
// its digest is right, and nothing is stored that could not be read back.
func (f *Fleet) PutObject(ctx context.Context, id inventory.HostID, digest string, body []byte, now time.Time) error {
	kind, err := f.Store.Wanted(ctx, id, digest)
	if errors.Is(err, store.ErrNotFound) {
		return refuse(notAsked, "check in first; the answer lists what is wanted")
	}
	if err != nil {
		return err
	}
	if inventory.Digest(body) != digest {
		return refuse("the object does not match its digest", "send it again")
	}
	v, err := decodeObject(kind, body)
	if err != nil {
		return refuse(fmt.Sprintf("the %s cannot be accepted: %s", kind, err), updateAgent)
	}
	ref := store.Ref{Kind: kind, Digest: digest}
	if err := f.Store.PutObject(ctx, ref, body, now); err != nil {
		return err
	}
	f.objects.put(ref, v) // the report that names it comes next
	return nil
}

// decodeObject reads what a host calls facts, a catalog or a result. Fields that we do not
// know are kept with the bytes and not read: an agent may be newer than its server.
func decodeObject(kind string, raw []byte) (any, error) {
	if len(raw) > protocol.MaxObject {
		return nil, fmt.Errorf("it has %d bytes; %d is the most", len(raw), protocol.MaxObject)
	}
	if err := checkText(raw); err != nil {
		return nil, err
	}
	switch kind {
	case store.KindFacts:
		var facts inventory.Facts
		return facts, json.Unmarshal(raw, &facts)
	case store.KindCatalog:
		return decodeCatalog(raw)
	case store.KindResult:
		return decodeResult(raw)
	case store.KindOffers:
		return decodeOffers(raw)
	}
	return nil, fmt.Errorf("a host does not send a %q", kind)
}

// decodedCatalog is a catalog with an index of its addresses.
type decodedCatalog struct {
	policies.Catalog
	at map[string]int
}

func decodeCatalog(raw []byte) (*decodedCatalog, error) {
	c := &decodedCatalog{}
	if err := json.Unmarshal(raw, &c.Catalog); err != nil {
		return nil, err
	}
	addresses := make([]string, len(c.Resources))
	for i, r := range c.Resources {
		addresses[i] = r.Address
	}
	var err error
	c.at, err = index(addresses)
	return c, err
}

// decodedResult is a result with an index of its addresses.
type decodedResult struct {
	policies.Result
	at map[string]int
}

// reported are the statuses that a host may give a resource.
var reported = []policies.Status{policies.Compliant, policies.Repaired, policies.Noncompliant, policies.Failed,
	policies.Skipped, policies.NotApplicable, policies.Waived, policies.Pending, policies.Unknown}

func decodeResult(raw []byte) (*decodedResult, error) {
	r := &decodedResult{}
	if err := json.Unmarshal(raw, &r.Result); err != nil {
		return nil, err
	}
	addresses := make([]string, len(r.Resources))
	for i, one := range r.Resources {
		addresses[i] = one.Address
		if !slices.Contains(reported, one.Status) {
			return nil, fmt.Errorf("%.100q is no status that a host gives", one.Status)
		}
	}
	var err error
	r.at, err = index(addresses)
	return r, err
}

func index(addresses []string) (map[string]int, error) {
	if len(addresses) > maxResources {
		return nil, fmt.Errorf("it has %d resources; %d is the most", len(addresses), maxResources)
	}
	at := make(map[string]int, len(addresses))
	for i, address := range addresses {
		if address == "" || len(address) > maxAddress {
			return nil, fmt.Errorf("it has an unusable address: %.100q", address)
		}
		if _, twice := at[address]; twice {
			return nil, fmt.Errorf("it has the address %.100q twice", address)
		}
		at[address] = i
	}
	return at, nil
}
