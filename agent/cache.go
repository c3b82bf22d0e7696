package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"plumb/agent/state"
	"plumb/inventory"
	"plumb/policies/canon"
)

// cached is the newest catalog of a tree, with all that it depends on.
type cached struct {
	// Key stands for bundle, host, program and the facts that were read.
	Key      string   `json:"key"`
	Bundle   string   `json:"bundle"`
	Compiled Compiled `json:"compiled"`
}

// appliedFile holds the catalog of the newest folder that was applied without a server.
const appliedFile = "apply/catalog"

// loadCatalog reads a catalog that was kept. The first line of the file is the digest of the second
// one, which names the catalog that follows by its digest: what is not as it was written is no catalog,
// and is compiled again.
func (a *Agent) loadCatalog(name string) (c cached, ok bool) {
	raw, err := os.ReadFile(filepath.Join(a.Dir.Path, name))
	if errors.Is(err, fs.ErrNotExist) {
		return c, false
	}
	if err == nil && bytes.HasPrefix(raw, []byte("{")) { // as agents wrote it that came before
		if err = json.Unmarshal(raw, &c); err == nil && inventory.Digest(c.Compiled.Raw) != c.Compiled.Digest {
			err = errDamaged
		}
	} else if err == nil {
		err = c.read(raw)
	}
	if err != nil {
		a.Log.Warn("a kept catalog is of no use, so it is compiled again", "file", name, "error", err)
		return cached{}, false
	}
	return c, true
}

func (c *cached) read(raw []byte) error {
	sum, rest, _ := bytes.Cut(raw, []byte("\n"))
	head, catalog, _ := bytes.Cut(rest, []byte("\n"))
	if string(sum) != inventory.Digest(head) && string(sum) != inventory.Digest(rest) { // as agents wrote it that came before
		return errDamaged
	}
	if err := canon.Unmarshal(head, c); err != nil {
		return fmt.Errorf("cannot read its head: %w", err)
	}
	if inventory.Digest(catalog) != c.Compiled.Digest {
		return errDamaged
	}
	c.Compiled.Raw = catalog
	return nil
}

var errDamaged = errors.New("it is damaged")

// saveCatalog keeps a catalog in a file that only this user can read: it holds secrets. Write is
// [state.WriteFile], or [state.WriteCache] for one that nobody misses.
func (a *Agent) saveCatalog(name string, c cached, write func(string, ...[]byte) error) error {
	catalog := c.Compiled.Raw
	c.Compiled.Raw = nil
	head, err := encode(c)
	if err != nil {
		return err
	}
	head = fmt.Appendf(nil, "%s\n%s\n", inventory.Digest(head), head)
	return write(filepath.Join(a.Dir.Path, name), head, catalog)
}

// hit returns the kept catalog when it is the one for this host.
func (a *Agent) hit(c cached, host inventory.Host, facts inventory.Facts) bool {
	key, err := a.key(c.Bundle, host, facts, c.Compiled.Reads)
	return err == nil && key == c.Key
}

// program is this very program: one that was built anew may compile otherwise, whatever its version
// says.
func (a *Agent) program() string {
	info, err := os.Stat("/proc/self/exe")
	if err != nil {
		return a.Version
	}
	return fmt.Sprint(a.Version, " ", info.Size(), " ", info.ModTime().UnixNano())
}

// Begin starts to compile a bundle before the host is known, see [Compile]. What it returns is
// called once; the work ends with the context when it is not.
type Begin func(ctx context.Context, raw []byte) func(inventory.Host, inventory.Facts) (Compiled, error)

// compiling starts a compiler on the bundle.
func (a *Agent) compiling(ctx context.Context, raw []byte) func(inventory.Host, inventory.Facts) (Compiled, error) {
	if a.Begin != nil {
		return a.Begin(ctx, raw)
	}
	return func(host inventory.Host, facts inventory.Facts) (Compiled, error) {
		return a.Compile(ctx, raw, host, facts)
	}
}

// collected is what another goroutine found out about the host.
type collected struct {
	facts inventory.Facts
	err   error
}

func (a *Agent) collecting(ctx context.Context) <-chan collected {
	done := make(chan collected, 1)
	go func() {
		f, err := a.Facts(ctx)
		if err != nil {
			err = fmt.Errorf("cannot collect facts: %w", err)
		}
		done <- collected{f, err}
	}()
	return done
}

// applied returns the catalog of a folder for this host. It compiles only when the folder, what the
// policies read of the host, or the program is another than the last time; the compiler is at work
// while the facts are collected. Wait waits until a new one is kept.
func (a *Agent) applied(ctx context.Context, raw []byte, asked <-chan collected) (comp Compiled, found inventory.Facts, wait func(), err error) {
	wait = func() {}
	bundle := inventory.Digest(raw)
	old, known := a.loadCatalog(appliedFile)
	known = known && old.Bundle == bundle
	compile := func(inventory.Host, inventory.Facts) (Compiled, error) { return Compiled{}, nil }
	if known {
		old.Compiled.ahead()
	} else {
		compile = a.compiling(ctx, raw)
	}
	host := <-asked
	if host.err != nil {
		return comp, found, wait, host.err
	}
	found = host.facts
	self := a.self(found)
	if known && a.hit(old, self, found) {
		return old.Compiled, found, wait, nil
	}
	if known {
		compile = a.compiling(ctx, raw)
	}
	if comp, err = compile(self, found); err != nil {
		return comp, found, wait, err
	}
	key, err := a.key(bundle, self, found, comp.Reads)
	if err != nil {
		return comp, found, wait, err
	}
	return comp, found, a.keeping(cached{Key: key, Bundle: bundle, Compiled: comp}), nil
}

// keeping writes the catalog while it is run. Without it the next run only takes longer.
func (a *Agent) keeping(c cached) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := a.saveCatalog(appliedFile, c, state.WriteCache); err != nil {
			a.Log.Warn("the catalog cannot be kept", "error", err)
		}
	}()
	return func() { <-done }
}
