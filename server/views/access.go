package views

import (
	"context"
	"fmt"
	"time"

	"plumb/server/store"
)

// Token is an enrolment token or a person's API token, without its secret.
type Token struct {
	ID string `json:"id"`
	// State is good, used, expired or revoked.
	State string `json:"state"`
	// Role is empty for enrolment.
	Role      string            `json:"role,omitempty"`
	Name      string            `json:"name,omitempty"`
	Labels    map[string]string `json:"labels"`
	Created   time.Time         `json:"created"`
	Expires   *time.Time        `json:"expires,omitempty"`
	CreatedBy string            `json:"created_by"`
	UsedBy    string            `json:"used_by,omitempty"`
}

// TokenOf shows a token as it stands now.
func TokenOf(t store.Token, now time.Time) Token {
	return Token{
		ID: t.ID, State: tokenState(t, now), Role: t.Role, Name: t.Name, Labels: orNone(t.Labels),
		Created: t.Created.UTC(), Expires: stamp(t.Expires), CreatedBy: t.CreatedBy, UsedBy: t.UsedBy,
	}
}

func tokenState(t store.Token, now time.Time) string {
	switch {
	case !t.Revoked.IsZero():
		return "revoked"
	case !t.Used.IsZero():
		return "used"
	case !t.Expires.IsZero() && now.After(t.Expires):
		return "expired"
	}
	return "good"
}

// Tokens returns all tokens.
func (r Reader) Tokens(ctx context.Context, now time.Time) ([]Token, error) {
	rows, err := r.Store.Tokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot list tokens: %w", err)
	}
	tokens := make([]Token, 0, len(rows))
	for _, t := range rows {
		tokens = append(tokens, TokenOf(t, now))
	}
	return tokens, nil
}

// Author is a person who may push.
type Author struct {
	Name        string    `json:"name"`
	Fingerprint string    `json:"fingerprint"`
	Added       time.Time `json:"added"`
	AddedBy     string    `json:"added_by"`
}

// AuthorOf shows an author.
func AuthorOf(a store.Author) Author {
	return Author{Name: a.Name, Fingerprint: a.Fingerprint, Added: a.Added.UTC(), AddedBy: a.AddedBy}
}

// Authors returns all authors.
func (r Reader) Authors(ctx context.Context) ([]Author, error) {
	rows, err := r.Store.Authors(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot list authors: %w", err)
	}
	authors := make([]Author, 0, len(rows))
	for _, a := range rows {
		authors = append(authors, AuthorOf(a))
	}
	return authors, nil
}

// Act is something that a person did to the server.
type Act struct {
	At     time.Time `json:"at"`
	Who    string    `json:"who"`
	What   string    `json:"what"`
	Detail string    `json:"detail"`
}

// Acts returns the newest acts.
func (r Reader) Acts(ctx context.Context, limit int) ([]Act, error) {
	rows, err := r.Store.Acts(ctx, limit)
	if err != nil {
		return nil, fmt.Errorf("cannot list acts: %w", err)
	}
	acts := make([]Act, 0, len(rows))
	for _, one := range rows {
		acts = append(acts, Act{At: one.At.UTC(), Who: one.Who, What: one.What, Detail: one.Detail})
	}
	return acts, nil
}
