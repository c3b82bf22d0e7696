package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"fmt"
	"io"
	"time"

	"plumb/inventory"
)

// worthPacking is the size in bytes from which JSON is kept compressed.
const worthPacking = 512

// Missing returns those of the objects that are not stored.
func (s *Store) Missing(ctx context.Context, refs []Ref) ([]Ref, error) {
	missing := []Ref{}
	for _, ref := range refs {
		var n int
		err := s.one(ctx, `SELECT COUNT(*) FROM objects WHERE kind = $1 AND digest = $2`, ref.Kind, ref.Digest).Scan(&n)
		if err != nil {
			return nil, fmt.Errorf("cannot look for an object: %w", err)
		}
		if n == 0 {
			missing = append(missing, ref)
		}
	}
	return missing, nil
}

// PutObject stores an object; to do it again is no error. ErrDigest when the digest is not that of raw.
func (s *Store) PutObject(ctx context.Context, ref Ref, raw []byte, now time.Time) error {
	if inventory.Digest(raw) != ref.Digest {
		return fmt.Errorf("cannot store the object: %w", ErrDigest)
	}
	coding, content, err := pack(ref.Kind, raw)
	if err != nil {
		return fmt.Errorf("cannot pack the object: %w", err)
	}
	return s.write(ctx, "store the object", func(ctx context.Context, tx *sql.Tx) error {
		_, err := execute(ctx, tx, insertObject, ref.Kind, ref.Digest, coding, content, ms(now))
		if err != nil || ref.Kind != KindFacts {
			return err
		}
		return putBrief(ctx, tx, ref.Digest, raw)
	})
}

const insertObject = `INSERT INTO objects (kind, digest, coding, content, stored) VALUES ($1, $2, $3, $4, $5)
	ON CONFLICT (kind, digest) DO NOTHING`

// Object is an object in the form in which it is kept.
type Object struct {
	Ref
	coding  string
	content []byte
}

func objectRow(o Object, now time.Time) []any {
	return []any{o.Kind, o.Digest, o.coding, o.content, ms(now)}
}

// Pack brings a result that a host sent into the form in which it is kept. The caller has verified
// its digest. Gzipped is how it was sent, nil when it was not compressed. Nothing of raw is kept.
func Pack(ref Ref, raw, gzipped []byte) (Object, error) {
	if len(gzipped) > 0 && len(gzipped) < len(raw)/2 {
		return Object{ref, codingGzip, gzipped}, nil // what the host did need not be done again
	}
	coding, content, err := pack(ref.Kind, raw)
	if err != nil {
		return Object{}, fmt.Errorf("cannot pack the object: %w", err)
	}
	if coding == "" {
		content = bytes.Clone(raw)
	}
	return Object{ref, coding, content}, nil
}

// codingGzip is the one way in which objects are compressed.
const codingGzip = "gzip"

// pack compresses JSON; bundles and tags are kept as they are.
func pack(kind string, raw []byte) (coding string, content []byte, err error) {
	if kind == KindBundle || kind == KindTag || len(raw) < worthPacking {
		return "", raw, nil
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return "", nil, err
	}
	if _, err := w.Write(raw); err != nil {
		return "", nil, err
	}
	if err := w.Close(); err != nil {
		return "", nil, err
	}
	return codingGzip, packed.Bytes(), nil
}

// Object returns an object's bytes, which are verified once more: ErrDigest when the
// database gave back something else.
func (s *Store) Object(ctx context.Context, ref Ref) ([]byte, error) {
	var coding string
	var content []byte
	err := s.r.QueryRowContext(ctx, `SELECT coding, content FROM objects WHERE kind = $1 AND digest = $2`, ref.Kind, ref.Digest).Scan(&coding, &content)
	if err != nil {
		return nil, fmt.Errorf("cannot read the %s %.12s: %w", ref.Kind, ref.Digest, found(err))
	}
	raw, err := unpack(coding, content)
	if err != nil {
		return nil, fmt.Errorf("cannot unpack the %s %.12s: %w", ref.Kind, ref.Digest, err)
	}
	if inventory.Digest(raw) != ref.Digest {
		return nil, fmt.Errorf("cannot read the %s %.12s: %w", ref.Kind, ref.Digest, ErrDigest)
	}
	return raw, nil
}

func unpack(coding string, content []byte) ([]byte, error) {
	if coding == "" {
		return content, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
