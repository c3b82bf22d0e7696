package views

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"plumb/policies"
	"plumb/server/store"
)

// Wanted is one attribute that a resource of a host should have, as far as it may be shown.
type Wanted struct {
	Name string
	// Value is text as it is, and other values as JSON, cut where they are long.
	Value     string
	Sensitive bool
}

// maxWanted is how much of a value is shown, in characters.
const maxWanted = 300

// Wanted returns the attributes of all resources of a host, by address.
func (r Reader) Wanted(ctx context.Context, name string) (map[string][]Wanted, error) {
	h, err := r.Store.HostByName(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("cannot find the host %q: %w", name, err)
	}
	return r.wantedBy(ctx, h.Catalog)
}

// WantedAt is Wanted as of an instant.
func (r Reader) WantedAt(ctx context.Context, name string, t time.Time) (map[string][]Wanted, error) {
	_, i, err := r.Store.HostAt(ctx, name, t)
	if err != nil {
		return nil, fmt.Errorf("cannot find the host %q as of %s: %w", name, t.UTC().Format(time.RFC3339), err)
	}
	return r.wantedBy(ctx, i.Catalog)
}

func (r Reader) wantedBy(ctx context.Context, digest string) (map[string][]Wanted, error) {
	var catalog policies.Catalog
	raw, err := r.object(ctx, store.KindCatalog, digest)
	if err != nil || raw == nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &catalog); err != nil {
		return nil, fmt.Errorf("cannot decode the catalog %.12s: %w", digest, err)
	}
	all := map[string][]Wanted{}
	for _, one := range catalog.Resources {
		all[one.Address] = wantedOf(one)
	}
	return all, nil
}

func wantedOf(one policies.Resource) []Wanted {
	var attributes map[string]json.RawMessage
	if json.Unmarshal(one.Attributes, &attributes) != nil {
		return nil
	}
	list := make([]Wanted, 0, len(attributes))
	for _, name := range keysOf(attributes) {
		w := Wanted{Name: name, Sensitive: slices.Contains(one.Sensitive, name)}
		if !w.Sensitive {
			w.Value = shownValue(attributes[name])
		}
		list = append(list, w)
	}
	return list
}

func shownValue(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	if runes := []rune(text); len(runes) > maxWanted {
		return string(runes[:maxWanted]) + " …"
	}
	return text
}

// GroupsOf returns the groups of policy that a host is in, sorted; none where that is not known.
func (r Reader) GroupsOf(ctx context.Context, name string) ([]string, error) {
	h, err := r.Store.HostByName(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("cannot find the host %q: %w", name, err)
	}
	groups, err := r.groupsOf(ctx, []string{h.Terms})
	return groups[h.Terms], err
}
