package modules

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"plumb/modules/system"
	"plumb/policies"
)

// Apply writes, changes or removes the file.
func (f *File) Apply(ctx context.Context, sys *system.System, changes []policies.Change) error {
	if f.State == "absent" {
		return f.remove(sys)
	}
	attributes, err := f.ownership().attributes(ctx, sys)
	if err != nil {
		return err
	}
	wanted, managed, err := f.wanted(sys)
	if err != nil {
		return err
	}
	if changed(changes, "state", "content") {
		return f.write(ctx, sys, wanted, attributes)
	}
	err = f.set(sys, attributes)
	if errors.Is(err, system.ErrUntrusted) && managed && !f.CreateOnly {
		// A new file with our own content is safe where the one that is there is not.
		return f.write(ctx, sys, wanted, attributes)
	}
	return err
}

func changed(changes []policies.Change, attributes ...string) bool {
	for _, c := range changes {
		for _, name := range attributes {
			if c.Attribute == name {
				return true
			}
		}
	}
	return false
}

func (f *File) remove(sys *system.System) error {
	if err := sys.SaveBackup(f.Path, f.Backup); err != nil {
		return err
	}
	if f.Force {
		return sys.Files().RemoveAll(f.Path, removeLimit)
	}
	return sys.Files().Remove(f.Path)
}

// set changes owner and mode in place.
func (f *File) set(sys *system.System, a system.Attributes) error {
	where := f.Path
	if f.Links == "follow" {
		e, err := sys.Files().StatFollow(f.Path)
		if err != nil {
			return err
		}
		where = e.Path
	}
	return sys.Files().Set(where, a)
}

func (f *File) write(ctx context.Context, sys *system.System, content []byte, a system.Attributes) error {
	if err := f.clear(sys); err != nil {
		return err
	}
	if err := sys.SaveBackup(f.Path, f.Backup); err != nil {
		return err
	}
	return sys.Files().Write(f.Path, content, system.WriteOptions{
		Mode: a.Mode, UID: a.UID, GID: a.GID,
		Follow: f.Links == "follow", Replace: f.Links == "replace", Shared: f.Shared,
		Validate: f.validator(ctx, sys),
	})
}

// clear removes a folder that stands in the way, when the policy allows it.
func (f *File) clear(sys *system.System) error {
	if !f.Force {
		return nil
	}
	e, err := sys.Files().Stat(f.Path)
	if err != nil || !e.IsDir() {
		return nil // nothing there: the write itself tells what is wrong
	}
	return sys.Files().RemoveAll(f.Path, removeLimit)
}

func (f *File) validator(ctx context.Context, sys *system.System) func(string) error {
	if len(f.ValidateCmd) == 0 {
		return nil
	}
	return func(temp string) error {
		out, err := sys.Run(ctx, system.Command{Argv: withPath(f.ValidateCmd, temp)})
		if err != nil {
			return fmt.Errorf("cannot validate the new content: %w", whetherAsked(err))
		}
		if out.Code != 0 {
			return fmt.Errorf("%s refuses the new content (exit %d), the old file stays: %s", f.ValidateCmd[0], out.Code, out.LastWords())
		}
		return nil
	}
}

// withPath puts the path in the place of each % and a percent sign in that of each %%.
func withPath(argv []string, temp string) []string {
	put := strings.NewReplacer("%%", "%", "%", temp)
	list := []string{argv[0]}
	for _, arg := range argv[1:] {
		list = append(list, put.Replace(arg))
	}
	return list
}
