package modules

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"

	"plumb/modules/system"
	"plumb/policies"
)

// Apply makes, changes or removes the folder, then mends what lies below.
func (d *Directory) Apply(ctx context.Context, sys *system.System, changes []policies.Change) error {
	if d.State == "absent" {
		return d.remove(sys)
	}
	attributes, err := d.ownership().attributes(ctx, sys)
	if err != nil {
		return err
	}
	if changed(changes, "state") {
		return d.make(sys, attributes)
	}
	if changed(changes, "recurse", "purge") {
		if err := d.applyBelow(ctx, sys); err != nil {
			return err
		}
	}
	return d.set(sys, attributes)
}

func (d *Directory) remove(sys *system.System) error {
	if d.Force {
		return sys.Files().RemoveAll(d.Path, d.MaxEntries)
	}
	return sys.Files().Remove(d.Path)
}

func (d *Directory) make(sys *system.System, a system.Attributes) error {
	e, err := sys.Files().Stat(d.Path)
	if err == nil && !e.IsDir() && d.Force {
		if err := sys.Files().Remove(d.Path); err != nil {
			return err
		}
	}
	if d.Parents {
		if err := makeParents(sys, path.Dir(d.Path)); err != nil {
			return err
		}
	}
	return sys.Files().Mkdir(d.Path, a)
}

// makeParents makes the missing folders from the top down.
func makeParents(sys *system.System, name string) error {
	_, err := sys.Files().StatFollow(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := makeParents(sys, path.Dir(name)); err != nil {
		return err
	}
	return sys.Files().Mkdir(name, system.Attributes{})
}

// set changes owner and mode of the folder itself, where a trusted link leads to it.
func (d *Directory) set(sys *system.System, a system.Attributes) error {
	if a == (system.Attributes{}) {
		return nil
	}
	e, err := sys.Files().StatFollow(d.Path)
	if err != nil {
		return err
	}
	return sys.Files().Set(e.Path, a)
}

// applyBelow purges at once, and changes owners from the deepest entry up: a folder that
// already belongs to its new owner is no longer safe to work in.
func (d *Directory) applyBelow(ctx context.Context, sys *system.System) error {
	var entries []entryBelow
	kept := d.kept(sys)
	err := d.visit(sys, func(e entryBelow) error {
		if d.extra(kept, e) {
			return skipAfter(sys.Files().RemoveAll(e.path, d.MaxEntries))
		}
		if d.Recurse && !e.IsLink() {
			entries = append(entries, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range slices.Backward(entries) {
		if err := d.mendBelow(ctx, sys, e); err != nil {
			return err
		}
	}
	return nil
}

// skipAfter keeps the walk out of a folder that is gone.
func skipAfter(err error) error {
	if err != nil {
		return err
	}
	return errSkipBelow
}

func (d *Directory) mendBelow(ctx context.Context, sys *system.System, e entryBelow) error {
	o := d.below(e.Entry)
	changes, err := o.differences(ctx, sys, e.Entry)
	if err != nil || len(changes) == 0 {
		return err
	}
	a, err := o.attributes(ctx, sys)
	if err != nil {
		return err
	}
	a.Own = true
	return sys.Files().Set(e.Path, a)
}
