package store

import (
	"cmp"
	"context"
	"database/sql"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"plumb/inventory"
	"plumb/policies"
)

// TestEachHostIsWhatHostsSays compares what is read of each host with what lists of whole hosts say.
func TestEachHostIsWhatHostsSays(t *testing.T) {
	dice := rand.New(rand.NewPCG(3, 9))
	onBoth(t, func(t *testing.T, s *Store) {
		fill(t, s, 60)
		must(t, s.write(t.Context(), "shuffle", func(ctx context.Context, tx *sql.Tx) error { return shuffle(ctx, tx, dice, 60) }))
		whole, err := s.Hosts(t.Context(), HostFilter{})
		must(t, err)
		var want, got []Host
		for _, h := range whole {
			want = append(want, Host{Host: inventory.Host{ID: h.ID, Name: h.Name, Labels: h.Labels}, LastSeen: h.LastSeen, Seq: h.Seq, Release: h.Release, Facts: h.Facts,
				Result: h.Result, Status: h.Status, Found: h.Found, Counts: h.Counts, Audit: h.Audit, Mismatch: h.Mismatch, Problem: h.Problem, Offers: h.Offers, Terms: h.Terms})
		}
		must(t, s.EachHost(t.Context(), func(h Host) { got = append(got, h) }))
		same(t, "hosts", got, want)
		for i, h := range want {
			want[i] = Host{Host: inventory.Host{ID: h.ID, Name: h.Name}, Seq: h.Seq, Release: h.Release, Offers: h.Offers, Terms: h.Terms}
		}
		for name, read := range map[string]func(context.Context, func(Host)) error{"what is on offer": s.EachOffered, "what is on offer, read anew": s.readOffered} {
			got = nil
			must(t, read(t.Context(), func(h Host) { got = append(got, h) }))
			same(t, name, got, want)
		}
		names, err := s.HostNames(t.Context())
		must(t, err)
		for _, h := range whole {
			if names[h.ID] != h.Name || len(names) != len(whole) {
				t.Errorf("the name of %s is %q among %d, want %q among %d", h.ID, names[h.ID], len(names), h.Name, len(whole))
			}
		}
	})
}

// TestEachPatchHostIsWhatPatchHostsSays does the same for how hosts stand with patches, a revoked one among them.
func TestEachPatchHostIsWhatPatchHostsSays(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		for i, name := range []string{"web1", "web2", "web3"} {
			one := step("e", 1, "r", start)
			one.PatchHosts = []PatchHost{row("os", uint64(i), policies.Pending, start), row("db", 2, policies.Compliant, start)}
			one.PatchHosts[1].Reboot = i == 0
			id := enrol(t, s, name, start)
			must(t, s.Accept(ctx, id, "", 0, []Step{one}, start))
			if name == "web3" {
				must(t, s.Revoke(ctx, id, "root", start))
			}
		}
		for rollout, rows := range map[string]int{"": 4, "os": 2, "zebra": 0} {
			want, err := s.PatchHosts(ctx, rollout)
			must(t, err)
			got := []PatchHost{}
			must(t, s.EachPatchHost(ctx, rollout, func(p PatchHost) { got = append(got, p) }))
			slices.SortFunc(got, func(a, b PatchHost) int {
				return cmp.Or(strings.Compare(a.Rollout, b.Rollout), strings.Compare(string(a.Host), string(b.Host)))
			})
			for i := range want {
				want[i].Set, want[i].Detail = "", policies.Patched{}
			}
			if same(t, "rows of "+rollout, got, want); len(got) != rows {
				t.Errorf("%d rows of %q, want %d", len(got), rollout, rows)
			}
		}
		all, err := s.PatchHosts(ctx, "")
		must(t, err)
		want := slices.DeleteFunc(all, func(p PatchHost) bool { return !p.Reboot })
		got, err := s.Reboots(ctx)
		must(t, err)
		same(t, "reboots", got, want)
	})
}
