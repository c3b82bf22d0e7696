package fleet

import (
	"bytes"
	"time"

	"plumb/agent/protocol"
	"plumb/policies"
	"plumb/server/store"
)

// takeInline keeps results that came in the same check-in as the reports that name them, as if each had been
// sent by itself after it was asked for. From one on that cannot be used, none counts as sent: they are asked for,
// and the host hears then what is wrong with it.
func (f *Fleet) takeInline(reports []policies.Report, objects map[string][]byte, now time.Time) {
	packed, room := protocol.MaxObjects, protocol.MaxObject
	inflated, _ := f.inflated.Get().(*bytes.Buffer)
	if inflated == nil {
		inflated = &bytes.Buffer{}
	}
	defer f.reuse(inflated)
	for _, r := range reports {
		one := objects[r.Result]
		ref := store.Ref{Kind: store.KindResult, Digest: r.Result}
		if len(one) == 0 || f.objects.has(ref) || f.inbox.get(ref) != nil {
			continue
		}
		if packed -= len(one); packed < 0 {
			return
		}
		inflated.Reset()
		if err := protocol.UnpackInto(inflated, one, room); err != nil {
			return
		}
		raw := inflated.Bytes()
		room -= len(raw)
		v, err := f.verified(ref, raw)
		if err != nil {
			return
		}
		if held, err := f.hold(ref, v, raw, one, now); !held || err != nil {
			return
		}
	}
}

// reusable is how large a buffer may have become that is used again.
const reusable = 1 << 20

// reuse keeps a buffer for the next one, of whose bytes nothing is held: what was decoded has its own.
func (f *Fleet) reuse(b *bytes.Buffer) {
	if b.Cap() <= reusable {
		f.inflated.Put(b)
	}
}
