package repo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// ErrNone is returned for a branch, commit or tag that is not there.
var ErrNone = errors.New("not in the policy repository")

// Commit is one commit as people are shown it.
type Commit struct {
	Hash    string
	Subject string
	Author  string
	When    time.Time
	Parents []string
}

// Head returns the newest commit on main, or ErrNone before the first push.
func (r *Repo) Head() (Commit, error) {
	ref, err := r.storage().Reference(Main)
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return Commit{}, fmt.Errorf("there is no main branch yet: %w", ErrNone)
	}
	if err != nil {
		return Commit{}, fmt.Errorf("cannot read main: %w", err)
	}
	return r.Commit(ref.Hash().String())
}

// Commit returns one commit by its hash.
func (r *Repo) Commit(hash string) (Commit, error) {
	c, err := r.commit(hash)
	if err != nil {
		return Commit{}, err
	}
	return describe(c), nil
}

func (r *Repo) commit(hash string) (*object.Commit, error) {
	if err := checkHash(hash); err != nil {
		return nil, err
	}
	c, err := object.GetCommit(r.storage(), plumbing.NewHash(hash))
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return nil, fmt.Errorf("cannot find the commit %.12s: %w", hash, ErrNone)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the commit %.12s: %w", hash, err)
	}
	return c, nil
}

func describe(c *object.Commit) Commit {
	subject, _, _ := strings.Cut(c.Message, "\n")
	d := Commit{Hash: c.Hash.String(), Subject: oneLine(subject), Author: oneLine(c.Author.Name), When: c.Committer.When.UTC()}
	for _, p := range c.ParentHashes {
		d.Parents = append(d.Parents, p.String())
	}
	return d
}

// Log returns at most limit commits, newest first, from hash back.
func (r *Repo) Log(ctx context.Context, hash string, limit int) ([]Commit, error) {
	c, err := r.commit(hash)
	if err != nil {
		return nil, err
	}
	var list []Commit
	walk := object.NewCommitIterCTime(c, nil, nil)
	defer walk.Close()
	for len(list) < limit {
		next, err := walk.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("cannot walk back from %.12s: %w", hash, err)
		}
		list = append(list, describe(next))
	}
	return list, nil
}

// Diff returns the paths that differ between two commits, sorted.
func (r *Repo) Diff(ctx context.Context, from, to string) ([]string, error) {
	var trees [2]*object.Tree
	for i, hash := range []string{from, to} {
		c, err := r.commit(hash)
		if err != nil {
			return nil, err
		}
		if trees[i], err = c.Tree(); err != nil {
			return nil, fmt.Errorf("cannot read the tree of %.12s: %w", hash, err)
		}
	}
	changes, err := object.DiffTreeWithOptions(ctx, trees[0], trees[1], nil)
	if err != nil {
		return nil, fmt.Errorf("cannot compare %.12s with %.12s: %w", from, to, err)
	}
	names := map[string]bool{}
	for _, c := range changes {
		names[cmp.Or(c.To.Name, c.From.Name)] = true
	}
	return slices.Sorted(maps.Keys(names)), nil
}

const (
	tagPrefix      = "refs/tags/release/"
	upstreamPrefix = "refs/upstream/tags/release/"
)

// ReleaseNumber returns N of refs/tags/release/N, or false when the name is not of that form.
func ReleaseNumber(ref string) (uint64, bool) {
	text, ok := strings.CutPrefix(ref, tagPrefix)
	if !ok || text == "" || text[0] == '0' {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 63)
	return n, err == nil && strconv.FormatUint(n, 10) == text
}

// Releases maps the number of each release tag to the hash of its tag object.
func (r *Repo) Releases() (map[uint64]string, error) { return r.releases(tagPrefix) }

// UpstreamReleases are the release tags that the last fetch found upstream.
func (r *Repo) UpstreamReleases() (map[uint64]string, error) { return r.releases(upstreamPrefix) }

func (r *Repo) releases(prefix string) (map[uint64]string, error) {
	refs, err := r.storage().IterReferences()
	if err != nil {
		return nil, fmt.Errorf("cannot list the tags: %w", err)
	}
	defer refs.Close()
	found := map[uint64]string{}
	err = refs.ForEach(func(ref *plumbing.Reference) error {
		rest, ok := strings.CutPrefix(ref.Name().String(), prefix)
		if n, good := ReleaseNumber(tagPrefix + rest); ok && good && ref.Type() == plumbing.HashReference {
			found[n] = ref.Hash().String()
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list the tags: %w", err)
	}
	return found, nil
}
