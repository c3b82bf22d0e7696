package repo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// View reads the repository as it is, or as it would be with the objects of a push.
// It reads by git in a limited child, so a hostile object can at most kill that child.
type View struct {
	repo *Repo
	env  []string
}

// View returns a view; quarantine is empty or the folder that a pre-receive hook told of.
func (r *Repo) View(quarantine string) (View, error) {
	if quarantine == "" {
		return View{repo: r}, nil
	}
	objects, err := filepath.EvalSymlinks(filepath.Join(r.dir, "objects"))
	if err != nil {
		return View{}, fmt.Errorf("cannot find the objects of the repository: %w", err)
	}
	found, err := filepath.EvalSymlinks(quarantine)
	if err != nil {
		return View{}, fmt.Errorf("cannot find the pushed objects: %w", err)
	}
	if filepath.Dir(found) != objects || !isQuarantine(filepath.Base(found)) {
		return View{}, fmt.Errorf("the pushed objects are in %q, which is not this repository's quarantine", quarantine)
	}
	return View{repo: r, env: []string{"GIT_OBJECT_DIRECTORY=" + found, "GIT_ALTERNATE_OBJECT_DIRECTORIES=" + objects}}, nil
}

// isQuarantine knows the names that git has used: incoming-X until 2.34, tmp_objdir-X since.
func isQuarantine(name string) bool {
	return strings.HasPrefix(name, "tmp_objdir-") || strings.HasPrefix(name, "incoming-")
}

// Local returns a view of the clone that dir is in, for an author's own command line.
func Local(ctx context.Context, dir string) (View, error) {
	git, err := lookGit()
	if err != nil {
		return View{}, err
	}
	r := &Repo{dir: dir, git: git, hooks: os.DevNull}
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	var out, errs capped
	cmd := r.child(ctx, nil, "rev-parse", "--absolute-git-dir")
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return View{}, fmt.Errorf("cannot find a Git repository in %s: %w", dir, explain(ctx, err, errs.String()))
	}
	r.dir = strings.TrimSuffix(out.String(), "\n")
	return View{repo: r}, nil
}

var hashForm = regexp.MustCompile(`^[0-9a-f]{40}$`)

func checkHash(hash string) error {
	if !hashForm.MatchString(hash) || hash == Zero {
		return fmt.Errorf("%.60q is not the name of an object", hash)
	}
	return nil
}

// Resolve returns the commit that a revision such as HEAD or main names.
func (v View) Resolve(ctx context.Context, revision string) (string, error) {
	out, err := v.run(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{commit}")
	if err != nil {
		return "", fmt.Errorf("cannot find the commit %.100q: %w", revision, err)
	}
	hash := strings.TrimSpace(out)
	return hash, checkHash(hash)
}

// IsAncestor tells whether old is new or one of its ancestors.
func (v View) IsAncestor(ctx context.Context, old, new string) (bool, error) {
	for _, hash := range []string{old, new} {
		if err := checkHash(hash); err != nil {
			return false, err
		}
	}
	_, err := v.run(ctx, "merge-base", "--is-ancestor", old, new)
	if exitCode(err) == 1 {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot compare %.12s with %.12s: %w", old, new, err)
	}
	return true, nil
}

// Type returns what an object is: commit, tag, tree or blob.
func (v View) Type(ctx context.Context, hash string) (string, error) {
	if err := checkHash(hash); err != nil {
		return "", err
	}
	out, err := v.run(ctx, "cat-file", "-t", hash)
	return strings.TrimSpace(out), err
}

// TagObject returns the raw bytes of a tag object of at most most bytes.
func (v View) TagObject(ctx context.Context, hash string, most int64) ([]byte, error) {
	list, err := v.TagObjects(ctx, []string{hash}, most)
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// TagObjects returns several tag objects in the order of their hashes.
func (v View) TagObjects(ctx context.Context, hashes []string, most int64) ([][]byte, error) {
	wants, list := make([]want, len(hashes)), make([][]byte, len(hashes))
	for i, hash := range hashes {
		wants[i] = want{hash: hash, kind: "tag", most: most}
	}
	if err := v.objects(ctx, wants, func(i int, data []byte) { list[i] = data }); err != nil {
		return nil, fmt.Errorf("cannot read the tags: %w", err)
	}
	return list, nil
}

func (v View) run(ctx context.Context, args ...string) (string, error) {
	return v.repo.runWith(ctx, runTime, v.env, args...)
}
