package views

import (
	"testing"

	"plumb/inventory"
	"plumb/policies/patch"
)

// TestOnce asks twice, and a host comes in between: who asks once for both answers sees one moment.
func TestOnce(t *testing.T) {
	b := newBench(t)
	b.host("web1", []inventory.Offer{}, &patch.Terms{}, noon)
	ctx := Once(b.Context())
	count := func() (alone, shared int) {
		t.Helper()
		s, err := b.PatchStatus(b.Context(), PatchFilter{}, noon)
		b.must(err)
		same, _, err := b.Patching(ctx, noon)
		b.must(err)
		return s.Hosts, same.Hosts
	}
	if alone, shared := count(); alone != 1 || shared != 1 {
		t.Fatalf("hosts = %d and %d, want 1", alone, shared)
	}
	b.host("web2", []inventory.Offer{}, &patch.Terms{}, noon)
	if alone, shared := count(); alone != 2 || shared != 1 {
		t.Errorf("hosts = %d, and %d from the look of before; want 2 and 1", alone, shared)
	}
	if s, err := b.PatchStatus(ctx, PatchFilter{Host: "web2"}, noon); err != nil || s.Hosts != 1 {
		t.Errorf("status of one host = %+v, %v", s, err)
	}
}
