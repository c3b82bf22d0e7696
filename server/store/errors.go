package store

import "errors"

// The errors that callers act on. Each may come wrapped.
var (
	// ErrNotFound means that there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrConflict means that somebody else was faster; read again and decide anew.
	ErrConflict = errors.New("was changed by somebody else in the meantime")
	// ErrNameTaken means that another host that is not revoked has the name.
	ErrNameTaken = errors.New("the name is taken by another host")
	// ErrKeyTaken means that the key belongs to a host already, even a revoked one.
	ErrKeyTaken = errors.New("the key belongs to another host")
	// ErrTokenUsed and ErrTokenExpired say why a token is no good; a revoked one counts as expired.
	ErrTokenUsed    = errors.New("the token was used already")
	ErrTokenExpired = errors.New("the token has expired")
	// ErrDigest means that the bytes are not those that the digest names.
	ErrDigest = errors.New("the content does not match its digest")
	// ErrFull means that there is no room left for the database. What was stored before is there.
	ErrFull = errors.New("there is no room left on the database's disk")
	// ErrNewerSchema means that the database was written by a newer version of Plumb.
	ErrNewerSchema = errors.New("the database was written by a newer version of plumb")
)
