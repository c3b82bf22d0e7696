package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"plumb/agent/cause"
	"plumb/agent/state"
	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/bundle"
	"plumb/policies/patch"
)

// Apply compiles a folder of policies for this host and runs it. No server is needed, and none
// is told. What it remembers lies apart from what the server's releases left. The sets are taken as
// orders of cycle 1; without one a patch resource has nothing to do. They bring no more than what
// the patch baseline of the policies lets in, as any set.
func (a *Agent) Apply(ctx context.Context, dir string, sets ...patch.Set) (Last, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	asked := a.collecting(ctx)
	memory := sync.OnceValues(func() (cause.Memory, error) { return a.loadMemory("apply") })
	go func() { _, _ = memory() }()
	tree, err := ReadTree(dir)
	if err != nil {
		return Last{}, err
	}
	raw, err := bundle.Pack(tree)
	if err != nil {
		return Last{}, err
	}
	if _, err := a.Dir.Sub("apply"); err != nil {
		return Last{}, err
	}
	comp, facts, wait, err := a.applied(ctx, raw, asked)
	defer wait()
	if err != nil {
		return Last{}, err
	}
	started := a.Now()
	orders, err := byHand(sets, started)
	if err != nil {
		return Last{}, err
	}
	audit := a.Audit || a.Dir.Paused(started) != nil
	done, err := a.run(ctx, job{folder: "apply", tree: tree.FS(), comp: comp, audit: audit, started: started, zone: facts.Timezone, orders: orders, memory: memory})
	if err != nil {
		return Last{}, err
	}
	defer done.journal.Close()
	last := Last{Started: started, Finished: a.Now(), Audit: audit, Timezone: facts.Timezone, Reboot: done.reboot, Catalog: done.catalog, Result: done.result}
	if audit && done.journal.Told() {
		return last, a.keepAudit(last, done)
	}
	if err := a.Dir.Save(memoryOf("apply"), done.memory); err != nil {
		return Last{}, err
	}
	wait()
	return last, errors.Join(a.Dir.Save("apply/"+lastFile, short(last)), done.journal.Reported())
}

// keepAudit keeps what an audit has found, which does not wait for the disk: when it is lost with the
// machine's memory, the next audit says it again. So the files need not be written in their order.
func (a *Agent) keepAudit(last Last, done ran) error {
	remembered := make(chan error, 1)
	go func() { remembered <- a.Dir.SaveChanged(memoryOf("apply"), done.memory) }()
	return errors.Join(a.Dir.SaveLoose("apply/"+lastFile, short(last)), done.journal.Reported(), <-remembered)
}

// short is a run without its catalog, which is kept apart, where [Agent.Newest] finds it.
func short(last Last) Last {
	last.Catalog = policies.Catalog{}
	return last
}

// byHand makes orders of sets that a person wrote.
func byHand(sets []patch.Set, now time.Time) ([]patch.Order, error) {
	var list []patch.Order
	for _, set := range sets {
		set = set.Normal()
		raw, err := encode(set)
		if err != nil {
			return nil, err
		}
		list = append(list, patch.Order{Rollout: set.Rollout, Cycle: 1, Digest: inventory.Digest(raw), Set: set, Offered: now.Unix(), Taken: now.Unix()})
	}
	return list, nil
}

// self is the host as policies see it: its identity, or what it calls itself.
func (a *Agent) self(facts inventory.Facts) inventory.Host {
	if id, err := a.Dir.Identity(); err == nil {
		return id.Host
	}
	name := strings.ToLower(facts.Hostname)
	if inventory.CheckName(name) != nil {
		name = "localhost"
	}
	return inventory.Host{Name: name, Labels: map[string]string{}}
}

// ReadTree reads a folder of policies: its regular files but those of Git. A link is left out,
// for a release cannot hold one either.
func ReadTree(dir string) (bundle.Tree, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("cannot read the policies: %s is not a folder", dir)
	}
	tree, total := bundle.Tree{}, int64(0)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() && e.Name() != ".git" {
			return err
		}
		if e.IsDir() {
			return filepath.SkipDir
		}
		if !e.Type().IsRegular() || e.Name() == ".git" {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if total += int64(len(data)); total > bundle.MaxBytes {
			return fmt.Errorf("they have more than %d bytes", bundle.MaxBytes)
		}
		name, err := filepath.Rel(dir, path)
		tree[filepath.ToSlash(name)] = data
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the policies: %w", err)
	}
	return tree, nil
}

// Newest returns the newest finished run on this host, by the server's release or by apply.
func (a *Agent) Newest() (Last, bool, error) {
	var mine Last
	okMine, err := a.Dir.Load("apply/"+lastFile, &mine)
	if errors.Is(err, state.ErrDamaged) { // the machine stopped after an audit, which does not wait for the disk
		a.Log.Warn("the last run of a folder is lost", "error", err)
		mine, okMine, err = Last{}, false, nil
	}
	if err != nil {
		return Last{}, false, err
	}
	served, okServed, err := a.loadLast()
	if err != nil {
		return Last{}, false, err
	}
	if !okMine || !mine.Finished.After(served.Finished) {
		return served, okServed, nil
	}
	if c, ok := a.loadCatalog(appliedFile); ok && mine.Catalog.Resources == nil && c.Compiled.Digest == mine.Result.Catalog {
		mine.Catalog, err = c.Compiled.Catalog()
	}
	return mine, true, err
}

// Expires is until when the newest lease lets new releases in; zero when there never was one.
func (a *Agent) Expires() (time.Time, error) {
	var l lease
	_, err := a.Dir.Load(leaseFile, &l)
	return l.Expires, err
}
