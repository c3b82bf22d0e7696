package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/go-git/go-billy/v5/osfs"
)

// Main is the branch whose commits become releases.
const Main = "refs/heads/main"

// Limits of one push or fetch.
const (
	MaxInput   = 256 << 20 // bytes of a pushed pack
	MaxUpdates = 1000      // references in one push
)

// Options say where a repository lives and who answers its hooks.
type Options struct {
	// Data is the server's data folder; the repository is policy.git in it, the hooks are hooks.
	Data string
	// Program is the absolute path of plumb, which the hooks run as `plumb _hook KIND`.
	// Empty leaves the repository without hooks, and it then takes no push.
	Program string
	// Socket is the server's unix socket, which the hooks ask.
	Socket string
}

// Repo is the policy repository. It is safe for concurrent use.
type Repo struct {
	dir   string
	hooks string
	known string // the known_hosts file for an upstream over SSH
	git   string
	serve chan struct{} // one token for each git that may serve the wire
}

// Open opens the repository and makes it at first. What may be configured in it is written
// again each time, so that an older or a changed setting does not stay.
func Open(ctx context.Context, o Options) (*Repo, error) {
	git, err := lookGit()
	if err != nil {
		return nil, err
	}
	data, err := filepath.Abs(o.Data)
	if err != nil {
		return nil, fmt.Errorf("cannot find the data folder: %w", err)
	}
	if strings.ContainsAny(data, ":\n\"") {
		return nil, fmt.Errorf("the data folder %q has a colon, a quote or a line break in its name, which git cannot take; choose another", data)
	}
	r := &Repo{
		dir:   filepath.Join(data, "policy.git"),
		hooks: filepath.Join(data, "hooks"),
		known: filepath.Join(data, "known_hosts"),
		git:   git,
		serve: make(chan struct{}, maxServed),
	}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the policy repository: %w", err)
	}
	if _, err := r.run(ctx, "init", "--quiet", "--bare", "--template=", "--initial-branch=main", "--object-format=sha1", r.dir); err != nil {
		return nil, fmt.Errorf("cannot make the policy repository: %w", err)
	}
	if err := r.configure(); err != nil {
		return nil, fmt.Errorf("cannot configure the policy repository: %w", err)
	}
	return r, r.writeHooks(o)
}

// Dir is the folder of the bare repository.
func (r *Repo) Dir() string { return r.dir }

// config is the repository's whole configuration. Whoever edits it by hand loses the edit.
const config = `# Written by plumb at each start.
[core]
	repositoryformatversion = 0
	filemode = false
	bare = true
	symlinks = false
	logAllRefUpdates = true
	bigFileThreshold = 16m
[receive]
	denyNonFastForwards = true
	denyDeletes = true
	fsckObjects = true
	maxInputSize = %d
[transfer]
	fsckObjects = true
	hideRefs = refs/upstream
[fetch]
	fsckObjects = true
	recurseSubmodules = false
[gc]
	auto = 2000
	autoPackLimit = 50
	autoDetach = false
[pack]
	threads = 1
	windowMemory = 64m
[submodule]
	recurse = false
`

func (r *Repo) configure() error {
	if err := replaceFile(filepath.Join(r.dir, "config"), fmt.Sprintf(config, MaxInput), 0o600); err != nil {
		return err
	}
	// Files that would make git read objects or rewrite history from elsewhere.
	for _, name := range []string{"objects/info/alternates", "objects/info/http-alternates", "info/grafts", "info/attributes", "commondir", "shallow"} {
		if err := os.Remove(filepath.Join(r.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (r *Repo) writeHooks(o Options) error {
	if err := os.MkdirAll(r.hooks, 0o700); err != nil {
		return fmt.Errorf("cannot make the hooks: %w", err)
	}
	for _, kind := range []string{PreReceive, PostReceive} {
		body := "#!/bin/sh\necho 'plumb: this repository takes no push yet' >&2\nexit 1\n"
		if o.Program != "" {
			body = fmt.Sprintf("#!/bin/sh\nPLUMB_SOCKET=%s\nexport PLUMB_SOCKET\nexec %s _hook %s\n", quote(o.Socket), quote(o.Program), kind)
		}
		if err := replaceFile(filepath.Join(r.hooks, kind), body, 0o700); err != nil {
			return fmt.Errorf("cannot write the %s hook: %w", kind, err)
		}
	}
	return nil
}

// quote makes one word of the shell out of any text.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func replaceFile(name, body string, mode os.FileMode) error {
	if have, err := os.ReadFile(name); err == nil && string(have) == body {
		return os.Chmod(name, mode)
	}
	next := name + ".next"
	if err := os.WriteFile(next, []byte(body), mode); err != nil {
		return err
	}
	return os.Rename(next, name)
}

// storage opens the objects anew for each use: git packs and prunes behind our back, and an
// open go-git storage would not see it.
func (r *Repo) storage() *filesystem.Storage {
	return filesystem.NewStorage(osfs.New(r.dir), cache.NewObjectLRU(8<<20))
}
