package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
)

// WriteTag stores a raw tag object and lets refs/tags/name point to it. A tag that is there
// already is never moved: the same object again is fine, another one is an error.
func (r *Repo) WriteTag(ctx context.Context, name string, raw []byte) (string, error) {
	store := r.storage()
	obj := store.NewEncodedObject()
	obj.SetType(plumbing.TagObject)
	w, err := obj.Writer()
	if err == nil {
		_, err = w.Write(raw)
	}
	if err != nil {
		return "", fmt.Errorf("cannot write the tag %s: %w", name, err)
	}
	hash, err := store.SetEncodedObject(obj)
	if err != nil {
		return "", fmt.Errorf("cannot write the tag %s: %w", name, err)
	}
	return hash.String(), r.PlaceTag(ctx, name, hash.String())
}

// PlaceTag lets refs/tags/name point to an object that is there; it never moves a tag.
func (r *Repo) PlaceTag(ctx context.Context, name, hash string) error {
	ref := plumbing.NewTagReferenceName(name)
	have, err := r.storage().Reference(ref)
	if err == nil && have.Hash().String() == hash {
		return nil
	}
	if err == nil {
		return fmt.Errorf("the tag %s is there already and says something else; release tags are never moved", name)
	}
	return r.update(ctx, ref.String(), hash, Zero)
}

// MoveMain sets main from old to new. It fails when main is not at old any more.
func (r *Repo) MoveMain(ctx context.Context, new, old string) error {
	return r.update(ctx, Main, new, old)
}

func (r *Repo) update(ctx context.Context, ref, new, old string) error {
	for _, hash := range []string{new, old} {
		if !hashForm.MatchString(hash) {
			return fmt.Errorf("%.60q is not the name of an object", hash)
		}
	}
	if _, err := r.run(ctx, "check-ref-format", ref); err != nil {
		return fmt.Errorf("%.80q is not a usable reference: %w", ref, err)
	}
	_, err := r.run(ctx, "update-ref", "--no-deref", "-m", "plumb", "--end-of-options", ref, new, old)
	return err
}

// Sweep removes what killed pushes left behind, if it is too old to be in use.
func (r *Repo) Sweep(now time.Time) error {
	old := now.Add(-2 * serveTime)
	for _, pattern := range []string{"objects/tmp_objdir-*", "objects/incoming-*", "objects/pack/tmp_*", "objects/pack/.tmp-*"} {
		names, err := filepath.Glob(filepath.Join(globQuote(r.dir), pattern))
		if err != nil {
			return fmt.Errorf("cannot look for leftovers: %w", err)
		}
		for _, name := range names {
			if err := removeOld(name, old); err != nil {
				return fmt.Errorf("cannot remove a leftover: %w", err)
			}
		}
	}
	return r.sweepLocks(old)
}

// sweepLocks removes lock files that a killed git left; each would stop every later push.
func (r *Repo) sweepLocks(old time.Time) error {
	err := filepath.WalkDir(r.dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went away while we looked
		}
		if err != nil {
			return err
		}
		if e.IsDir() && path == filepath.Join(r.dir, "objects") {
			return fs.SkipDir
		}
		if e.Type().IsRegular() && strings.HasSuffix(path, ".lock") {
			return removeOld(path, old)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot remove an old lock: %w", err)
	}
	return nil
}

func removeOld(name string, old time.Time) error {
	info, err := os.Lstat(name)
	if errors.Is(err, os.ErrNotExist) || (err == nil && info.ModTime().After(old)) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.RemoveAll(name)
}

func globQuote(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
