package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"plumb/policies/patch"
)

// TestLibraryIsWhatIsStored has advisories come and change, and compares what is told of them with what is read anew.
func TestLibraryIsWhatIsStored(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "plumb.db"))
	dice, ctx := rand.New(rand.NewPCG(5, 6)), t.Context()
	advisory := func() patch.Advisory {
		a := patch.Advisory{ID: fmt.Sprint("DSA-", dice.IntN(20)), Feed: "osv", Severity: []string{"high", "low"}[dice.IntN(2)], Exploited: dice.IntN(3) == 0, CVEs: []string{}, Published: start.AddDate(0, 0, dice.IntN(5)).UTC()}
		for range 1 + dice.IntN(3) {
			a.Affected = append(a.Affected, patch.Affected{Origin: "Debian", Package: fmt.Sprint("package", dice.IntN(4))})
		}
		return a
	}
	for n := range 200 {
		switch dice.IntN(4) {
		case 0:
			must(t, s.PutAdvisories(ctx, []patch.Advisory{advisory(), advisory()}, start))
		case 1: // as a report of a host does
			must(t, s.write(ctx, "note", func(ctx context.Context, tx *sql.Tx) error {
				return noteAdvisories(ctx, tx, []Advisory{{advisory(), start}})
			}))
		}
		for name, f := range map[string]AdvisoryFilter{"all": {}, "two": {Limit: 2}, "high": {Severity: "high"}, "exploited": {Exploited: true}, "ids": {IDs: []string{"DSA-3", "DSA-4", "none"}},
			"packages": {Packages: []string{"package1", "package3", "none"}}, "much": {Packages: []string{"package2"}, Severity: "low", Exploited: true, Limit: 1}} {
			want, err := s.advisories(ctx, f)
			must(t, err)
			got, err := s.Advisories(ctx, f)
			must(t, err)
			same(t, fmt.Sprintf("advisories (%s) after round %d", name, n), got, want)
		}
	}
}

// TestLibraryReadsOnce holds that they are not read again while none changes, and what changes while they are read is not kept.
func TestLibraryReadsOnce(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "plumb.db"))
	put := func() {
		must(t, s.PutAdvisories(t.Context(), []patch.Advisory{{ID: "DSA-1", CVEs: []string{}}}, start))
	}
	ask := func() string {
		all, err := s.Advisories(t.Context(), AdvisoryFilter{})
		must(t, err)
		return all[0].ID
	}
	put()
	same(t, "the first", ask(), "DSA-1")
	_, err := s.w.ExecContext(t.Context(), `UPDATE advisories SET content = '{"id":"unsaid"}'`)
	must(t, err)
	same(t, "one that changed in secret", ask(), "DSA-1")
	_, _, edition := s.library.known()
	put()
	s.library.keep([]Advisory{{Advisory: patch.Advisory{ID: "old"}}}, false, edition)
	same(t, "after a change", ask(), "DSA-1")
}

// TestLargeLibraryIsNotKept holds that memory is bounded, and that the many are not read again to find that out.
func TestLargeLibraryIsNotKept(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "plumb.db"))
	_, err := s.w.ExecContext(t.Context(), fmt.Sprintf(`WITH RECURSIVE n(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n <= %d) INSERT INTO advisories (id, feed, severity, exploited, published, first_seen, content)
		SELECT 'a' || n, 'osv', 'low', 0, 1, 1, '{}' FROM n`, mostAdvised))
	must(t, err)
	all, err := s.Advisories(t.Context(), AdvisoryFilter{})
	must(t, err)
	kept, many, _ := s.library.known()
	same(t, "advisories, and those that are kept", []any{len(all), len(kept), many}, []any{mostAdvised + 1, 0, true})
}
