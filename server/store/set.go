package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
)

// PutAnswers notes which advisories the packages of a patch set answer; it only ever adds.
func (s *Store) PutAnswers(ctx context.Context, set string, answers map[string][]string) error {
	return s.write(ctx, "store what a patch set answers", func(ctx context.Context, tx *sql.Tx) error {
		for _, name := range slices.Sorted(maps.Keys(answers)) {
			for _, advisory := range answers[name] {
				_, err := tx.ExecContext(ctx, `INSERT INTO set_answers (patch_set, package, advisory) VALUES ($1, $2, $3)
					ON CONFLICT (patch_set, package, advisory) DO NOTHING`, set, name, advisory)
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Answers returns which advisories the packages of a patch set answer, by package, sorted.
func (s *Store) Answers(ctx context.Context, set string) (map[string][]string, error) {
	type answer struct{ name, advisory string }
	rows, err := s.r.QueryContext(ctx, `SELECT package, advisory FROM set_answers WHERE patch_set = $1 ORDER BY package, advisory`, set)
	all, err := list(rows, err, func(scan func(...any) error) (a answer, err error) { return a, scan(&a.name, &a.advisory) })
	if err != nil {
		return nil, fmt.Errorf("cannot read what a patch set answers: %w", err)
	}
	answers := map[string][]string{}
	for _, a := range all {
		answers[a.name] = append(answers[a.name], a.advisory)
	}
	return answers, nil
}

// HasSet tells whether a patch cycle carries the set.
func (s *Store) HasSet(ctx context.Context, set string) (bool, error) {
	var n int
	if err := s.r.QueryRowContext(ctx, `SELECT COUNT(*) FROM cycles WHERE patch_set = $1`, set).Scan(&n); err != nil {
		return false, fmt.Errorf("cannot look for a patch set: %w", err)
	}
	return n > 0, nil
}
