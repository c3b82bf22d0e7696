package store

import (
	"encoding/json"
	"strings"
	"testing"

	"plumb/inventory"
	"plumb/policies"
)

func called(t *testing.T, s *Store) (all []Entry, err error) {
	t.Helper()
	err = s.Roll(t.Context(), func(e Entry) { all = append(all, e) })
	return all, err
}

func TestRoll(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		enrol(t, s, "web2", start)
		id := enrol(t, s, "web1", start)
		facts, err := json.Marshal(inventory.Facts{OS: inventory.OS{Name: "Debian GNU/Linux 12"}, Kernel: "6.1.0", Hostname: "Machine",
			Packages: map[string]string{"nginx": "1"}, Interfaces: map[string][]string{"eth0": {"192.0.2.1/24"}}, Custom: map[string]any{"rack": "b7"}})
		must(t, err)
		ref := Ref{Kind: KindFacts, Digest: inventory.Digest(facts)}
		must(t, s.PutObject(ctx, ref, facts, start))
		one := step("e", 1, "r", start)
		one.Host.Facts, one.Host.Problem, one.Host.Audit = ref.Digest, "too old", true
		one.Findings = []Finding{{Address: "policy.p.file.x", Status: policies.Noncompliant, Since: start, Flapping: &policies.Flapping{Mends: 5}}}
		must(t, s.Accept(ctx, id, "", 0, []Step{one}, start))
		must(t, s.Revoke(ctx, "id-web2", "ada", start))
		all, err := called(t, s)
		must(t, err)
		if len(all) != 2 || all[1].Revoked.IsZero() {
			t.Fatalf("Roll() = %+v, want both hosts, the second revoked", all)
		}
		got := all[0]
		if got.Name != "web1" || !got.Audit || !got.Flapping || got.Problem == "" || got.OS != "Debian GNU/Linux 12" || !strings.Contains(got.Labels, "prod") {
			t.Errorf("Roll()[0] = %+v", got)
		}
		for _, want := range []string{"debian", "6.1.0", "machine", "192.0.2.1", "rack", "b7"} {
			if !strings.Contains(got.Words, want) {
				t.Errorf("the brief lacks %q: %q", want, got.Words)
			}
		}
		if strings.Contains(got.Words, "nginx") {
			t.Errorf("the brief holds packages: %q", got.Words)
		}
	})
}

// Facts that an older program stored get their brief later.
func TestMakeBriefs(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		id := enrol(t, s, "web1", start)
		facts := []byte(`{"os":{"id":"debian","version":"12"}}`)
		ref := Ref{Kind: KindFacts, Digest: inventory.Digest(facts)}
		must(t, s.PutObject(ctx, ref, facts, start))
		one := step("e", 1, "r", start)
		one.Host.Facts = ref.Digest
		must(t, s.Accept(ctx, id, "", 0, []Step{one}, start))
		_, err := s.w.ExecContext(ctx, `DELETE FROM briefs`)
		must(t, err)
		all, err := called(t, s)
		must(t, err)
		same(t, "a brief is lacking", all[0].Unbriefed, true)
		for _, want := range []int{1, 0} {
			n, err := s.MakeBriefs(ctx, 10)
			must(t, err)
			same(t, "briefs made", n, want)
		}
		all, err = called(t, s)
		must(t, err)
		same(t, "system", all[0].OS, "debian 12")
		same(t, "a brief is lacking", all[0].Unbriefed, false)
	})
}

func FuzzBrief(f *testing.F) {
	f.Add([]byte(`{"os":{"name":"Debian"},"interfaces":{"a":["b"]},"custom":{"x":1}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if os, words := brief(raw); len(os) > maxOS || len(words) > maxBrief {
			t.Errorf("a brief of %d and %d bytes", len(os), len(words))
		}
	})
}
