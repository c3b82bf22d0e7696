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

// errNotAsked comes with store.ErrConflict, so that the host checks in and tries again: a server that
// has just started knows nothing of what the one before it asked for.
var errNotAsked = errors.New("this object was not asked for")

// PutObject takes an object that this host was asked for. Nothing is taken that could not be read back.
func (f *Fleet) PutObject(ctx context.Context, id inventory.HostID, digest string, body []byte, now time.Time) error {
	return f.PutPacked(ctx, id, digest, body, nil, now)
}

// PutPacked is PutObject for a body that came compressed by gzip, as it came; nil when it did not.
func (f *Fleet) PutPacked(ctx context.Context, id inventory.HostID, digest string, body, gzipped []byte, now time.Time) error {
	kind := f.inbox.wanted(id, digest)
	if kind == "" {
		return fmt.Errorf("%w: %w", errNotAsked, store.ErrConflict)
	}
	ref := store.Ref{Kind: kind, Digest: digest}
	v, err := f.verified(ref, body)
	if err != nil {
		return err
	}
	if kind == store.KindResult {
		held, err := f.hold(ref, v, body, gzipped, now)
		if held || err != nil {
			return err
		}
	}
	if err := f.Store.PutObject(ctx, ref, body, now); err != nil {
		return err
	}
	f.objects.put(ref, v) // the report that names it comes next
	return nil
}

// verified decodes what a host sent. Nothing in it is looked at before its digest is right.
func (f *Fleet) verified(ref store.Ref, body []byte) (any, error) {
	if inventory.Digest(body) != ref.Digest {
		return nil, refuse("the object does not match its digest", "send it again")
	}
	v, err := decodeObject(&f.elements, ref.Kind, body)
	if err != nil {
		return nil, refuse(fmt.Sprintf("the %s cannot be accepted: %s", ref.Kind, err), updateAgent)
	}
	return v, nil
}

// hold keeps a result until its report comes, and tells whether there was room for it.
func (f *Fleet) hold(ref store.Ref, v any, body, gzipped []byte, now time.Time) (bool, error) {
	packed, err := store.Pack(ref, body, gzipped)
	if err != nil {
		return false, err
	}
	return f.inbox.put(&parcel{Object: packed, value: v, size: len(body), at: now}), nil
}

// decodeObject reads what a host calls facts, a catalog or a result, with what was learned of results
// before. Fields that we do not know are kept with the bytes and not read: an agent may be newer than
// its server.
func decodeObject(known *elements, kind string, raw []byte) (any, error) {
	if len(raw) > protocol.MaxObject {
		return nil, fmt.Errorf("it has %d bytes; %d is the most", len(raw), protocol.MaxObject)
	}
	if kind == store.KindResult {
		return decodeResult(known, raw)
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
	case store.KindOffers:
		return decodeOffers(raw)
	}
	return nil, fmt.Errorf("a host does not send a %q", kind)
}

// decodedCatalog is a catalog whose addresses are usable.
type decodedCatalog struct{ policies.Catalog }

func decodeCatalog(raw []byte) (*decodedCatalog, error) {
	c := &decodedCatalog{}
	if err := json.Unmarshal(raw, &c.Catalog); err != nil {
		return nil, err
	}
	return c, checkAddresses(len(c.Resources), func(i int) string { return c.Resources[i].Address })
}

// reported are the statuses that a host may give a resource.
var reported = []policies.Status{policies.Compliant, policies.Repaired, policies.Noncompliant, policies.Failed,
	policies.Skipped, policies.NotApplicable, policies.Waived, policies.Pending, policies.Unknown}

// decodeResult reads a result, whose addresses and statuses are usable then.
func decodeResult(known *elements, raw []byte) (*Found, error) {
	found, err := known.result(raw)
	if err != nil {
		return nil, err
	}
	for _, one := range found.Resources {
		if status := one.Status; status != policies.Compliant && !slices.Contains(reported, status) {
			return nil, fmt.Errorf("%.100q is no status that a host gives", status)
		}
		if cause := one.Cause; cause != "" && !slices.Contains(policies.Causes, cause) {
			return nil, fmt.Errorf("%.100q is no cause that a host gives", cause)
		}
	}
	return found, checkAddresses(len(found.Resources), func(i int) string { return found.Resources[i].Address })
}

// checkAddresses looks at n addresses. Sorted ones, as our agents send them, are seen at once to be
// different from each other.
func checkAddresses(n int, address func(i int) string) error {
	if n > maxResources {
		return fmt.Errorf("it has %d resources; %d is the most", n, maxResources)
	}
	sorted := true
	for i := range n {
		one := address(i)
		if one == "" || len(one) > maxAddress {
			return fmt.Errorf("it has an unusable address: %.100q", one)
		}
		sorted = sorted && (i == 0 || address(i-1) < one)
	}
	if sorted {
		return nil
	}
	seen := make(map[string]bool, n)
	for i := range n {
		if seen[address(i)] {
			return fmt.Errorf("it has the address %.100q twice", address(i))
		}
		seen[address(i)] = true
	}
	return nil
}
