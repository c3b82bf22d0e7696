// Package agent makes one host what its policy says and goes on doing so.
//
// A round calls the server, takes the release that its lease names when all signatures hold,
// runs the release in force, and spools a report. Without the server it goes on with the last
// good release. Whoever holds an Agent must hold the lock of its state folder.
package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"time"

	"plumb/agent/cause"
	"plumb/agent/protocol"
	"plumb/agent/run"
	"plumb/agent/spool"
	"plumb/agent/state"
	"plumb/agent/watch"
	"plumb/inventory"
	"plumb/modules"
	"plumb/modules/system"
	"plumb/policies"
	"plumb/policies/patch"
)

// Agent is the agent of one host.
type Agent struct {
	// Dir is the locked state folder.
	Dir *state.Dir
	// Root is the root folder of the host, "/" on a real one.
	Root string
	// Version and Built are those of the program.
	Version string
	Built   time.Time
	// Instance names this boot of this machine, see [Instance].
	Instance string
	// Reserve has rounds hold back some room on the disk, to be able to tell that it is full.
	Reserve bool
	// Now is the host's clock.
	Now func() time.Time
	// Log takes what an administrator should know.
	Log *slog.Logger
	// Compile turns a verified bundle into the host's catalog.
	Compile Compile
	// Begin compiles while the host's facts are collected; nil does one after the other.
	Begin Begin
	// Facts finds out about the host.
	Facts func(context.Context) (inventory.Facts, error)
	// Database is what Facts shares with the run that follows at once; nil shares nothing. A daemon
	// reads anew in each round.
	Database *system.DpkgMemory
	// Decode makes the resource of a catalog entry; nil means [modules.Decode].
	Decode func(policies.Resource) (modules.Resource, error)
	// FetchLists fetches the package lists; nil asks the host's package manager.
	FetchLists func(context.Context) error
	// Audit forces audit mode for every run.
	Audit bool
	// Reboot boots the host again, for the reason given; nil leaves that to somebody else, who
	// finds it in [Outcome.Reboot].
	Reboot func(ctx context.Context, reason string) error
	// Watch is told after each run what to watch; nil when nobody watches. Breaker keeps [Agent.Mend]
	// from fighting with somebody else.
	Watch   *watch.Watcher
	Breaker *watch.Breaker

	standing  *standing     // since the newest run, nil when that is not known
	unsettled run.Unsettled // what mends have changed and is looked at once more, see [run.Runner]

	watched string            // digest of the catalog that is watched
	writers map[string]string // who touched a resource that was not seen in order since, by address
}

// resourceLimit bounds a Check or an Apply that sets no timeout itself: long enough for a large
// package upgrade, short enough that a host does not hang for good.
const resourceLimit = time.Hour

// job is one catalog to run.
type job struct {
	folder string // in the state folder: what the run remembers lies there
	tree   fs.FS
	comp   Compiled
	audit  bool
	frozen bool
	trial  bool // the release has not shown yet that the host can live with it
	orders []patch.Order
	// refused are orders that are not believed, by rollout.
	refused map[string]run.Refusal
	lapsed  string          // why no order may be begun
	only    map[string]bool // nil is everything
	last    Last            // what the others keep, when only some are looked at
	stand   *standing       // what stands of this catalog, if that is known
	strays  bool            // patch cycles are ended that the catalog does not have
	live    func(context.Context, protocol.Progress)
	// memory is what the run before left, if somebody reads it already.
	memory func() (cause.Memory, error)
	zone   string        // of the host
	skew   time.Duration // of the host's clock against the server's
	since  time.Time     // repairs of runs up to here were reported
	agreed time.Time     // by which waivers are judged
	commit string        // of the release
	// started names the run in the journal of repairs and in its report alike: a kill between
	// the two must not tell a repair again.
	started time.Time
}

// ran is what a finished run left.
type ran struct {
	catalog policies.Catalog
	result  policies.Result
	memory  cause.Memory
	stood   bool // the catalog is the one that stands, with its secrets
	journal *run.Journal
	opens   time.Time // when to wake up for a window
	soon    bool      // a patch cycle is under way
	reboot  string    // why the host has to boot again, empty when it need not
	// astray is how patch cycles fare that the catalog does not have.
	astray []policies.ResourceResult
}

// run runs one catalog. The caller closes the journal after it has made the result safe.
func (a *Agent) run(ctx context.Context, j job) (ran, error) {
	catalog, err := j.catalog()
	if err != nil {
		return ran{}, err
	}
	dir, err := a.Dir.Sub(j.folder)
	if err != nil {
		return ran{}, err
	}
	files, err := a.Dir.Sub("files")
	if err != nil {
		return ran{}, err
	}
	journal, err := run.OpenJournal(dir, j.since)
	if err != nil {
		return ran{}, err
	}
	runner := &run.Runner{Decode: a.Decode, Journal: journal, Audit: j.audit, Frozen: j.frozen, Limit: resourceLimit,
		Trial: j.trial, Lapsed: j.lapsed, Refused: j.refused, Live: j.live, Now: a.Now,
		System: &system.System{Root: a.Root, Tree: j.tree, State: files, Orders: j.orders, Frozen: j.frozen, Database: a.Database, Now: a.Now}}
	runner.Zone, runner.Untimed = timing(j)
	runner.Flapping = a.flapping(j.started)
	if j.only != nil && j.last.Result.Catalog == j.comp.Digest && j.last.Audit == j.audit {
		runner.Only, runner.Last, j.strays = j.only, j.last.Result, false
	}
	part := catalog
	if j.only != nil && j.stand != nil {
		part = j.stand.part(j.only, journal.Concerned())
		runner.Only, runner.Last, j.strays = j.only, j.stand.results(part), false
	}
	runner.Later, runner.Before = runner.Only != nil, a.unsettled
	if j.strays {
		runner.Strays = modules.UnfinishedPatches(files)
	}
	runner.Agreed, runner.Commit = j.agreed, j.commit
	if runner.Key, err = a.Dir.DigestKey(); err != nil {
		return ran{}, errors.Join(err, journal.Close())
	}
	if runner.Memory, err = a.memory(j); err != nil {
		a.Log.Warn("the memory of the last run is lost", "error", err) // causes start anew, no more
	}
	result, err := runner.Run(ctx, part, j.comp.Digest, j.started)
	a.owe(runner.Unsettled)
	if err != nil {
		return ran{}, errors.Join(err, journal.Close())
	}
	if j.only != nil && j.stand != nil {
		result, runner.Memory = j.stand.take(result, runner.Memory)
	}
	done := ran{catalog, result, runner.Memory, j.stand != nil, journal, runner.Opens, runner.Soon, "", runner.Astray}
	if !j.audit { // a paused host and one in audit mode are never booted
		done.reboot = run.Plain(runner.System.RebootWanted)
	}
	if runner.Only != nil { // what it did not look at is as it was
		done.astray, done.reboot = j.last.Astray, cmp.Or(done.reboot, j.last.Reboot)
	}
	return done, nil
}

// owe adds to what is looked at once more.
func (a *Agent) owe(more run.Unsettled) {
	if a.unsettled == nil {
		a.unsettled = run.Unsettled{}
	}
	maps.Copy(a.unsettled, more)
}

// catalog is the one to run.
func (j job) catalog() (policies.Catalog, error) {
	if j.stand != nil {
		return j.stand.catalog, nil
	}
	return j.comp.Catalog()
}

// memory is what the last run left.
func (a *Agent) memory(j job) (cause.Memory, error) {
	switch {
	case j.stand != nil:
		return j.stand.memory, nil
	case j.memory != nil:
		return j.memory()
	}
	return a.loadMemory(j.folder)
}

// openSpool opens the reports that wait.
func (a *Agent) openSpool() (*spool.Spool, error) {
	dir, err := a.Dir.Sub("spool")
	if err != nil {
		return nil, err
	}
	return spool.Open(dir)
}

// collect returns the facts of the host with the JSON that the server gets.
func (a *Agent) collect(ctx context.Context) (inventory.Facts, []byte, error) {
	f, err := a.Facts(ctx)
	if err != nil {
		return f, nil, fmt.Errorf("cannot collect facts: %w", err)
	}
	raw, err := encode(f)
	return f, raw, err
}
