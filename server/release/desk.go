package release

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"plumb/agent/protocol"
	"plumb/policies"
	"plumb/policies/bundle"
	"plumb/policies/compiler"
	"plumb/server/repo"
	"plumb/server/store"
)

// Mode says who signs releases.
type Mode string

// The modes.
const (
	Trial  Mode = "trial"  // the server's own key
	Author Mode = "author" // the people in the allowed signers file
)

// Compiler compiles a bundle for some hosts in a limited child; compiler.Compiler does. An
// error means that there is no answer, and then nothing is released.
type Compiler interface {
	Compile(ctx context.Context, req compiler.Request) (compiler.Response, error)
}

// Authority is the part of the server's keys that signs in trial mode.
type Authority interface {
	TrialKey() ssh.Signer
	TrialSigner() protocol.Signer
}

// Desk is where commits become releases. It is safe for concurrent use once its fields are set.
type Desk struct {
	Repo      *repo.Repo
	Store     *store.Store
	Authority Authority
	Compiler  Compiler
	// Upstream, when its URL is set, is followed; nobody but it may then move main.
	Upstream repo.Upstream
	// Plan, when set, gets the rollouts of a release before the release is stored.
	Plan func(context.Context, store.Release, []policies.Rollout) error
	// Released, when set, is called after each new release.
	Released func(store.Release)
	// Now is the clock.
	Now func() time.Time
	// Log gets alarms; nil drops them.
	Log *slog.Logger

	explaining sync.Mutex // held while a value is explained

	making sync.Mutex // held while a release is made
	stuck  *badCommit // main, when it turned out to be bad after it was taken; under making
	poke   chan struct{}
	once   sync.Once

	mu       sync.Mutex
	problem  string // why the newest commit on main is not a release
	upstream string // what is wrong with the upstream
	bad      string // the newest upstream commit that was refused
	memory   memory

	calendar atomic.Pointer[Calendar] // of the newest release that was asked about
}

// Status says how the desk stands.
type Status struct {
	// Mode says who signs, Signers the lines of those who may sign the next release.
	Mode    Mode
	Signers []string
	// Main is the newest commit on main, empty before the first push.
	Main string
	// Release is the newest release, 0 before the first.
	Release uint64
	// Problem says why main's newest commit is no release though it should be, and
	// UpstreamProblem why the upstream's newest commit is not on main. Both can be empty.
	Problem         string
	UpstreamProblem string
}

// Status returns how the desk stands.
func (d *Desk) Status(ctx context.Context) (Status, error) {
	s, last, err := d.state(ctx)
	if err != nil {
		return Status{}, err
	}
	head, err := d.Repo.Head()
	if err != nil && !errors.Is(err, repo.ErrNone) {
		return Status{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return Status{Mode: s.mode, Signers: lines(s.text), Main: head.Hash, Release: last.Number, Problem: d.problem, UpstreamProblem: d.upstream}, nil
}

// Mode returns who signs the next release.
func (d *Desk) Mode(ctx context.Context) (Mode, error) {
	s, _, err := d.state(ctx)
	return s.mode, err
}

// Signers returns the lines of the keys that a new host has to pin.
func (d *Desk) Signers(ctx context.Context) ([]string, error) {
	s, _, err := d.state(ctx)
	return lines(s.text), err
}

// signing is who may sign a release.
type signing struct {
	mode    Mode
	text    string // the allowed signers file, or the trial key's line
	signers protocol.Signers
}

// state returns who may sign the next release, and the newest release (zero before the first).
func (d *Desk) state(ctx context.Context) (signing, store.Release, error) {
	last, err := d.Store.LatestRelease(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return signing{}, store.Release{}, fmt.Errorf("cannot read the newest release: %w", err)
	}
	s, err := d.signing(last.Signers)
	return s, last, err
}

// signing reads the signers in force after a release; before the first it is the trial key.
func (d *Desk) signing(text string) (signing, error) {
	trial := d.Authority.TrialSigner()
	if text == "" || text == trial.Line()+"\n" {
		return signing{mode: Trial, text: trial.Line() + "\n", signers: protocol.Signers{trial}}, nil
	}
	list, err := protocol.ParseSigners(text)
	if err != nil {
		return signing{}, fmt.Errorf("the newest release's signers are damaged: %w", err)
	}
	return signing{mode: Author, text: text, signers: list}, nil
}

// after returns who may sign once the tree is released.
func (d *Desk) after(now signing, tree bundle.Tree) (signing, *policies.Problem) {
	raw, ok := tree[protocol.SignersFile]
	if !ok && now.mode == Trial {
		return now, nil
	}
	if !ok {
		return now, signersProblem("The file is gone, but hosts only take releases that people in it signed. Restore it; to change who may sign, change its lines.")
	}
	next, err := protocol.ParseSigners(string(raw))
	if err != nil {
		return now, signersProblem(upper(err.Error()) + `. Each line reads: NAME namespaces="git" ssh-ed25519 AAAA…`)
	}
	if len(next) == 0 {
		return now, signersProblem("No key is in it, so nobody could ever sign a release again. Add at least one line: NAME namespaces=\"git\" ssh-ed25519 AAAA…")
	}
	return signing{mode: Author, text: string(raw), signers: next}, nil
}

func signersProblem(detail string) *policies.Problem {
	return &policies.Problem{Severity: "error", Summary: "Unusable allowed signers", Detail: detail, File: protocol.SignersFile, Line: 1, Column: 1}
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func lines(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			list = append(list, line)
		}
	}
	return list
}

func (d *Desk) setProblem(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.problem = text
}

func (d *Desk) log() *slog.Logger {
	if d.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return d.Log
}
