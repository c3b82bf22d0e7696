package store

import (
	"context"
	"errors"
	"time"

	"plumb/inventory"
)

var errNotYet = errors.New("not yet")

// Store is an open database.
type Store struct{}

// Open opens the database, a file path or "postgres://…", and brings its tables up to date.
func Open(ctx context.Context, dsn string) (*Store, error) { return nil, errNotYet }

// Close ends all use of the database.
func (s *Store) Close() error { return errNotYet }

// CreateHost stores a new host and uses up the enrolment token with the hash, or does neither:
// ErrNotFound (no such token), ErrTokenUsed, ErrTokenExpired, ErrNameTaken, ErrKeyTaken.
func (s *Store) CreateHost(ctx context.Context, h Host, tokenHash string, now time.Time) error {
	return errNotYet
}

// Host returns the host with the ID.
func (s *Store) Host(ctx context.Context, id inventory.HostID) (Host, error) {
	return Host{}, errNotYet
}

// HostByName returns the host that has the name; the last one revoked when none has it now.
func (s *Store) HostByName(ctx context.Context, name string) (Host, error) { return Host{}, errNotYet }

// HostByKey returns the host with the key's fingerprint, revoked or not.
func (s *Store) HostByKey(ctx context.Context, fingerprint string) (Host, error) {
	return Host{}, errNotYet
}

// Hosts returns the selected hosts by name.
func (s *Store) Hosts(ctx context.Context, f HostFilter) ([]Host, error) { return nil, errNotYet }

// FleetCounts counts hosts by how they stand.
func (s *Store) FleetCounts(ctx context.Context) (FleetCounts, error) {
	return FleetCounts{}, errNotYet
}

// Revoke takes a host's identity away for good.
func (s *Store) Revoke(ctx context.Context, id inventory.HostID, by string, now time.Time) error {
	return errNotYet
}

// Seen notes that a host called. A host that was silent gets an event and its old status back.
func (s *Store) Seen(ctx context.Context, id inventory.HostID, beat Heartbeat, now time.Time) error {
	return errNotYet
}

// MarkStale says that every host not seen since the given time is silent, and returns those that were not before.
func (s *Store) MarkStale(ctx context.Context, notSince, now time.Time) ([]inventory.HostID, error) {
	return nil, errNotYet
}

// Unverified returns hosts whose catalog has not been compared with an expected one since it last changed.
func (s *Store) Unverified(ctx context.Context, limit int) ([]Host, error) { return nil, errNotYet }

// SetExpected stores what the server compiled for the host as it was read (empty: it could not), with an event
// when that makes a new mismatch. ErrConflict when the host has moved on.
func (s *Store) SetExpected(ctx context.Context, h Host, expected string, now time.Time) error {
	return errNotYet
}

// CreateToken stores a token.
func (s *Store) CreateToken(ctx context.Context, t Token) error { return errNotYet }

// TokenByHash returns the token whose secret has the SHA-256, whatever its state.
func (s *Store) TokenByHash(ctx context.Context, hash string) (Token, error) {
	return Token{}, errNotYet
}

// Tokens returns all tokens, the newest first.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) { return nil, errNotYet }

// RevokeToken makes a token useless.
func (s *Store) RevokeToken(ctx context.Context, id string, now time.Time) error { return errNotYet }

// Missing returns those of the objects that are not stored.
func (s *Store) Missing(ctx context.Context, refs []Ref) ([]Ref, error) { return nil, errNotYet }

// Want remembers that a host was asked for objects.
func (s *Store) Want(ctx context.Context, id inventory.HostID, refs []Ref, now time.Time) error {
	return errNotYet
}

// Wanted returns the kind of the object that a host was asked for: ErrNotFound when it was not.
func (s *Store) Wanted(ctx context.Context, id inventory.HostID, digest string) (kind string, err error) {
	return "", errNotYet
}

// PutObject stores an object; again is no error. ErrDigest when the digest is not that of raw.
func (s *Store) PutObject(ctx context.Context, ref Ref, raw []byte, now time.Time) error {
	return errNotYet
}

// Object returns an object's bytes.
func (s *Store) Object(ctx context.Context, ref Ref) ([]byte, error) { return nil, errNotYet }

// AddRelease stores a release, whose number must be the next one: ErrConflict otherwise.
func (s *Store) AddRelease(ctx context.Context, r Release) error { return errNotYet }

// Release returns one release.
func (s *Store) Release(ctx context.Context, number uint64) (Release, error) {
	return Release{}, errNotYet
}

// Releases returns releases with a number below before (0: all), the newest first.
func (s *Store) Releases(ctx context.Context, limit int, before uint64) ([]Release, error) {
	return nil, errNotYet
}

// LatestRelease returns the newest release: ErrNotFound while there is none.
func (s *Store) LatestRelease(ctx context.Context) (Release, error) { return Release{}, errNotYet }

// Accept stores what reports of a host did, all in one transaction, if its newest report is still
// (epoch, afterSeq): ErrConflict otherwise.
func (s *Store) Accept(ctx context.Context, id inventory.HostID, epoch string, afterSeq uint64, steps []Step, now time.Time) error {
	return errNotYet
}

// Accepted returns the newest stored Seq of an epoch of a host, 0 when there is none.
func (s *Store) Accepted(ctx context.Context, id inventory.HostID, epoch string) (uint64, error) {
	return 0, errNotYet
}

// Intervals returns the newest intervals of a host, the newest first.
func (s *Store) Intervals(ctx context.Context, id inventory.HostID, limit int) ([]Interval, error) {
	return nil, errNotYet
}

// IntervalAt returns the interval of a host at an instant: ErrNotFound before the first.
func (s *Store) IntervalAt(ctx context.Context, id inventory.HostID, t time.Time) (Interval, error) {
	return Interval{}, errNotYet
}

// Events returns the selected events, the newest first.
func (s *Store) Events(ctx context.Context, f EventFilter) ([]Event, error) { return nil, errNotYet }

// Findings returns the selected findings.
func (s *Store) Findings(ctx context.Context, f FindingFilter) ([]Finding, error) {
	return nil, errNotYet
}

// FindingsByAddress counts, for each address, the hosts on which it does not pass.
func (s *Store) FindingsByAddress(ctx context.Context) (map[string]int, error) { return nil, errNotYet }

// FindingsByControl counts, for each control, the hosts on which something about it does not pass.
func (s *Store) FindingsByControl(ctx context.Context) (map[string]int, error) { return nil, errNotYet }

// AddAuthor stores an author: ErrConflict when the name or the key is there already.
func (s *Store) AddAuthor(ctx context.Context, a Author) error { return errNotYet }

// Authors returns all authors by name.
func (s *Store) Authors(ctx context.Context) ([]Author, error) { return nil, errNotYet }

// RemoveAuthor forgets an author.
func (s *Store) RemoveAuthor(ctx context.Context, name string) error { return errNotYet }

// AuthorByFingerprint returns the author with the key.
func (s *Store) AuthorByFingerprint(ctx context.Context, fingerprint string) (Author, error) {
	return Author{}, errNotYet
}

// CreateSignIn stores a one-time code.
func (s *Store) CreateSignIn(ctx context.Context, in SignIn) error { return errNotYet }

// UseSignIn uses a code up and returns whom it is for: ErrNotFound when it is unknown, used or expired.
func (s *Store) UseSignIn(ctx context.Context, hash string, now time.Time) (SignIn, error) {
	return SignIn{}, errNotYet
}

// CreateSession stores a session.
func (s *Store) CreateSession(ctx context.Context, in Session) error { return errNotYet }

// Session returns a session: ErrNotFound when it is unknown or expired.
func (s *Store) Session(ctx context.Context, hash string, now time.Time) (Session, error) {
	return Session{}, errNotYet
}

// DeleteSession ends a session.
func (s *Store) DeleteSession(ctx context.Context, hash string) error { return errNotYet }

// Setting returns a setting: ErrNotFound when it was never set.
func (s *Store) Setting(ctx context.Context, key string) (string, error) { return "", errNotYet }

// SetSetting stores a setting.
func (s *Store) SetSetting(ctx context.Context, key, value string) error { return errNotYet }

// AddAct adds to the log of people's acts.
func (s *Store) AddAct(ctx context.Context, a Act) error { return errNotYet }

// Acts returns the newest acts, the newest first.
func (s *Store) Acts(ctx context.Context, limit int) ([]Act, error) { return nil, errNotYet }
