package store

import (
	"testing"
	"time"

	"plumb/policies"
)

func row(rollout string, cycle uint64, status policies.Status, since time.Time) PatchHost {
	detail := policies.Patched{Cycle: cycle, Set: "set", Phase: policies.PhaseReboot, Reboot: []string{"linux-image"}}
	return PatchHost{Rollout: rollout, Ring: "early", Cycle: cycle, Set: "set", Status: status, Phase: policies.PhaseReboot, Reboot: true,
		Message: "waits", Detail: detail, Since: since}
}

func TestPatchHosts(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id, gone := enrol(t, s, "web1", start), enrol(t, s, "web2", start)
		later := start.Add(time.Hour)
		accept := func(after uint64, rows []PatchHost) {
			t.Helper()
			one := step("e", after+1, "r", start)
			one.PatchHosts = rows
			epoch := "e"
			if after == 0 {
				epoch = ""
			}
			must(t, s.Accept(ctx, id, epoch, after, []Step{one}, start))
		}
		accept(0, []PatchHost{row("os", 1, policies.Pending, start), row("db", 2, policies.Pending, start)})
		other := step("e", 1, "r", start)
		other.PatchHosts = []PatchHost{row("os", 1, policies.Pending, start)}
		must(t, s.Accept(ctx, gone, "", 0, []Step{other}, start))
		must(t, s.Revoke(ctx, gone, "root", start))
		want := func(what, rollout string, rows ...PatchHost) {
			t.Helper()
			for i := range rows {
				rows[i].Host = id
			}
			got, err := s.PatchHosts(ctx, rollout)
			must(t, err)
			same(t, what, got, rows)
		}
		want("rows", "", row("db", 2, policies.Pending, start), row("os", 1, policies.Pending, start))
		want("rows of one rollout", "os", row("os", 1, policies.Pending, start))
		accept(1, nil)
		want("rows that a report says nothing about", "", row("db", 2, policies.Pending, start), row("os", 1, policies.Pending, start))
		accept(2, []PatchHost{row("os", 1, policies.Pending, later), row("db", 3, policies.Pending, later)})
		want("rows told again", "", row("db", 3, policies.Pending, later), row("os", 1, policies.Pending, start))
		accept(3, []PatchHost{row("os", 1, policies.Repaired, later)})
		want("rows of the rollouts that are left", "", row("os", 1, policies.Repaired, later))
		accept(4, []PatchHost{})
		got, err := s.PatchHosts(ctx, "")
		must(t, err)
		same(t, "rows after the last rollout went", got, []PatchHost{})
	})
}

func TestRefusedReportLeavesNoPatchHost(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		id := enrol(t, s, "web1", start)
		one := step("e", 1, "r", start)
		one.PatchHosts = []PatchHost{row("os", 1, policies.Pending, start)}
		wantErr(t, s.Accept(t.Context(), id, "another", 7, []Step{one}, start), ErrConflict)
		got, err := s.PatchHosts(t.Context(), "")
		must(t, err)
		same(t, "rows", got, []PatchHost{})
	})
}
