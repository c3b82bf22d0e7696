package store

import (
	"context"
	"database/sql"
	"fmt"
)

const authorColumns = `name, key, fingerprint, added, added_by`

func scanAuthor(scan func(...any) error) (Author, error) {
	var a Author
	var added int64
	err := scan(&a.Name, &a.Key, &a.Fingerprint, &added, &a.AddedBy)
	a.Added = at(added)
	return a, err
}

// AddAuthor stores an author: ErrConflict when the name or the key is there already.
func (s *Store) AddAuthor(ctx context.Context, a Author) error {
	return s.write(ctx, "store the author", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO authors (`+authorColumns+`) VALUES ($1, $2, $3, $4, $5)`,
			a.Name, a.Key, a.Fingerprint, ms(a.Added), a.AddedBy)
		return conflict(err)
	})
}

// Authors returns all authors by name.
func (s *Store) Authors(ctx context.Context) ([]Author, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT `+authorColumns+` FROM authors ORDER BY name`)
	all, err := list(rows, err, scanAuthor)
	if err != nil {
		return nil, fmt.Errorf("cannot list authors: %w", err)
	}
	return all, nil
}

// RemoveAuthor forgets an author: ErrNotFound when there is none of that name.
func (s *Store) RemoveAuthor(ctx context.Context, name string) error {
	return s.write(ctx, "remove the author", func(ctx context.Context, tx *sql.Tx) error {
		return exec1(ctx, tx, ErrNotFound, `DELETE FROM authors WHERE name = $1`, name)
	})
}

// AuthorByFingerprint returns the author with the key.
func (s *Store) AuthorByFingerprint(ctx context.Context, fingerprint string) (Author, error) {
	a, err := scanAuthor(s.r.QueryRowContext(ctx, `SELECT `+authorColumns+` FROM authors WHERE fingerprint = $1`, fingerprint).Scan)
	if err != nil {
		return Author{}, fmt.Errorf("cannot read the author: %w", found(err))
	}
	return a, nil
}

// AddAct adds to the log of people's acts.
func (s *Store) AddAct(ctx context.Context, a Act) error {
	return s.write(ctx, "log the act", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO acts (at, who, what, detail) VALUES ($1, $2, $3, $4)`, ms(a.At), a.Who, a.What, a.Detail)
		return err
	})
}

// Acts returns the newest acts, the newest first.
func (s *Store) Acts(ctx context.Context, max int) ([]Act, error) {
	rows, err := s.r.QueryContext(ctx, `SELECT id, at, who, what, detail FROM acts ORDER BY id DESC`+limit(max, standardPage))
	all, err := list(rows, err, func(scan func(...any) error) (Act, error) {
		var a Act
		var when int64
		err := scan(&a.ID, &when, &a.Who, &a.What, &a.Detail)
		a.At = at(when)
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list acts: %w", err)
	}
	return all, nil
}
