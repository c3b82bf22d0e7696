package fleet

import (
	"context"
	"fmt"
	"sync"

	"plumb/server/store"
)

// cache keeps decoded objects: hosts that are alike share them. Objects never change, so
// nothing in it can be out of date.
type cache struct {
	mu   sync.Mutex
	held map[store.Ref]any
}

// cached is how many objects are kept. A catalog of 300 resources takes about 300 KiB.
const cached = 512

func (c *cache) has(ref store.Ref) bool {
	_, ok := c.get(ref)
	return ok
}

func (c *cache) get(ref store.Ref) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.held[ref]
	return v, ok
}

func (c *cache) put(ref store.Ref, v any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		c.held = map[store.Ref]any{}
	}
	c.held[ref] = v
	// A result is asked for once or twice, a catalog with each report of many hosts.
	c.shrink(func(old store.Ref) bool { return old.Kind == store.KindResult && old != ref })
	c.shrink(func(old store.Ref) bool { return old != ref })
}

// shrink forgets what may go until few enough are left, any ones: Go's order of maps is random.
func (c *cache) shrink(mayGo func(store.Ref) bool) {
	for old := range c.held {
		if len(c.held) <= cached {
			return
		}
		if mayGo(old) {
			delete(c.held, old)
		}
	}
}

// load returns a stored object, decoded. Callers share it and must not change it.
func load[T any](ctx context.Context, f *Fleet, ref store.Ref) (none T, err error) {
	if v, ok := f.objects.get(ref); ok {
		return v.(T), nil
	}
	if p := f.inbox.get(ref); p != nil {
		return p.value.(T), nil
	}
	raw, err := f.Store.Object(ctx, ref)
	if err != nil {
		return none, err
	}
	v, err := decodeObject(&f.elements, ref.Kind, raw)
	if err != nil {
		return none, fmt.Errorf("cannot read the stored %s %.12s: %w", ref.Kind, ref.Digest, err)
	}
	f.objects.put(ref, v)
	return v.(T), nil
}
