package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"plumb/modules/system"
	"plumb/policies"
)

// Directory is the kind of one folder.
type Directory struct {
	Path       string   `json:"path" plumb:"required" doc:"Absolute path of the folder. A link to a folder is followed when only root can have made it."`
	State      string   `json:"state,omitempty" doc:"present (the default) or absent."`
	Owner      string   `json:"owner,omitempty" doc:"Name or number of the owner. Not managed when absent."`
	Group      string   `json:"group,omitempty" doc:"Name or number of the group. Not managed when absent."`
	Mode       string   `json:"mode,omitempty" doc:"Permission bits in octal, such as \"0755\". Not managed when absent; a new folder then gets 0755."`
	Parents    bool     `json:"parents,omitempty" doc:"True also makes the folders above, as root with 0755."`
	Recurse    bool     `json:"recurse,omitempty" doc:"True gives owner, group, dir_mode and file_mode to everything below, too. Links are left alone."`
	DirMode    string   `json:"dir_mode,omitempty" doc:"Mode of the folders below, with recurse."`
	FileMode   string   `json:"file_mode,omitempty" doc:"Mode of the files below, with recurse."`
	Purge      bool     `json:"purge,omitempty" doc:"True removes everything below that no resource of the host's catalog manages."`
	Ignore     []string `json:"ignore,omitempty" doc:"Patterns of names, or of paths relative to the folder, that recurse and purge leave alone, such as \"*.bak\"."`
	MaxEntries int      `json:"max_entries,omitempty" doc:"How many entries may lie below, 10,000 by default. With more, recurse, purge and force are an error and nothing is touched."`
	Force      bool     `json:"force,omitempty" doc:"True allows to remove a folder that is not empty, or a file that stands in the way."`
}

func directoryKind() Kind {
	return Kind{
		Name: "directory", Rank: 20,
		Doc: "One folder: that it is there, its owner and mode; with recurse those of what lies below; with purge that nothing unmanaged lies below.",
		New: func() Resource { return &Directory{State: "present", MaxEntries: 10_000} },
	}
}

// Identity is the path.
func (d *Directory) Identity() string { return d.Path }

// Provides names the path.
func (d *Directory) Provides() []string { return []string{"path:" + d.Path} }

// Needs names the folders above, the owner and the group.
func (d *Directory) Needs() []string {
	return append(parentNeeds(d.Path), d.ownership().needs()...)
}

func (d *Directory) ownership() ownership { return ownership{d.Owner, d.Group, d.Mode} }

// Validate looks at path, state, modes and patterns.
func (d *Directory) Validate() []Mistake {
	list := append(pathMistakes("path", d.Path), d.ownership().mistakes()...)
	list = append(list, oneOf("state", d.State, "present", "absent")...)
	for attribute, mode := range map[string]string{"dir_mode": d.DirMode, "file_mode": d.FileMode} {
		if mode == "" {
			continue
		}
		list = append(list, modeMistakes(attribute, mode)...)
		if !d.Recurse {
			list = append(list, Mistake{attribute, "It only counts with recurse. Set recurse, or remove it."})
		}
	}
	for _, pattern := range d.Ignore {
		if _, err := path.Match(pattern, ""); err != nil {
			list = append(list, Mistake{"ignore", fmt.Sprintf("%q is no pattern. Close its bracket.", pattern)})
		}
	}
	if d.Path == "/" && (d.Purge || d.Recurse || d.State == "absent") {
		list = append(list, Mistake{"path", "The root folder can be neither removed, purged nor changed as a whole. Name a folder in it."})
	}
	if d.MaxEntries < 1 {
		list = append(list, Mistake{"max_entries", "Write how many entries may lie below, 1 at least."})
	}
	return list
}

// Check compares the folder and, when asked for, what lies below.
func (d *Directory) Check(ctx context.Context, sys *system.System) ([]policies.Change, error) {
	e, err := sys.Files().StatFollow(d.Path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, err
	}
	if d.State == "absent" {
		return d.checkAbsent(sys)
	}
	if missing || !e.IsDir() {
		return d.checkMissing(e, missing)
	}
	changes, err := d.ownership().differences(ctx, sys, e)
	if err != nil || !d.Recurse && !d.Purge {
		return changes, err
	}
	more, err := d.checkBelow(ctx, sys)
	return append(changes, more...), err
}

func (d *Directory) checkAbsent(sys *system.System) ([]policies.Change, error) {
	e, err := sys.Files().Stat(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !e.IsDir() && !d.Force {
		return nil, fmt.Errorf("%s is a %s and not a folder; set force to remove it", d.Path, e.TypeName())
	}
	if e.IsDir() && !d.Force {
		list, err := sys.Files().List(d.Path)
		if err != nil {
			return nil, err
		}
		if len(list) > 0 {
			return nil, fmt.Errorf("%s is not empty (%d entries); set force to remove it with all that lies below", d.Path, len(list))
		}
	}
	return []policies.Change{{Attribute: "state", Before: e.TypeName(), After: "absent"}}, nil
}

func (d *Directory) checkMissing(e system.Entry, missing bool) ([]policies.Change, error) {
	found := "absent"
	if !missing {
		found = e.TypeName()
		if !d.Force {
			return nil, fmt.Errorf("a %s stands at %s; remove it, or set force", found, d.Path)
		}
	}
	changes := []policies.Change{{Attribute: "state", Before: found, After: "present"}}
	return append(changes, d.ownership().planned()...), nil
}

// checkBelow gathers what differs below into one change for each attribute.
func (d *Directory) checkBelow(ctx context.Context, sys *system.System) ([]policies.Change, error) {
	var wrong, extra []string
	kept := d.kept(sys)
	err := d.visit(sys, func(e entryBelow) error {
		if d.extra(kept, e) {
			extra = append(extra, e.path)
			return errSkipBelow
		}
		o := d.below(e.Entry)
		if !d.Recurse || e.IsLink() {
			return nil
		}
		changes, err := o.differences(ctx, sys, e.Entry)
		if len(changes) > 0 {
			wrong = append(wrong, e.path)
		}
		return err
	})
	var changes []policies.Change
	if len(wrong) > 0 {
		changes = append(changes, policies.Change{Attribute: "recurse", Before: nameSome(wrong) + " differ", After: "owner and mode as wanted"})
	}
	if len(extra) > 0 {
		changes = append(changes, policies.Change{Attribute: "purge", Before: nameSome(extra) + " not managed", After: "removed"})
	}
	return changes, err
}

// below is what an entry below has to have.
func (d *Directory) below(e system.Entry) ownership {
	if e.IsDir() {
		return ownership{d.Owner, d.Group, d.DirMode}
	}
	return ownership{d.Owner, d.Group, d.FileMode}
}

// extra tells whether purge removes the entry: nobody manages it or anything below it.
func (d *Directory) extra(kept map[string]bool, e entryBelow) bool {
	return d.Purge && !kept[e.path]
}

// kept holds what the catalog manages below the folder, and the folders on the way there.
func (d *Directory) kept(sys *system.System) map[string]bool {
	kept := map[string]bool{}
	for managed := range sys.Managed {
		if !strings.HasPrefix(managed, strings.TrimSuffix(d.Path, "/")+"/") {
			continue
		}
		for name := managed; name != d.Path && !kept[name]; name = path.Dir(name) {
			kept[name] = true
		}
	}
	return kept
}

// nameSome keeps a change readable when thousands of entries differ.
func nameSome(paths []string) string {
	const shown = 5
	if len(paths) <= shown {
		return strings.Join(paths, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(paths[:shown], ", "), len(paths)-shown)
}

// entryBelow is an entry with the path by which policies know it.
type entryBelow struct {
	system.Entry
	path string
}

// errSkipBelow tells visit not to go into a folder.
var errSkipBelow = errors.New("skip what lies below")

// visit calls back for every entry below that is not ignored, folders before what is in them.
func (d *Directory) visit(sys *system.System, call func(entryBelow) error) error {
	if d.Purge && sys.Managed == nil {
		return fmt.Errorf("%w: purge needs to know what the whole catalog manages", ErrUnknown)
	}
	left := d.MaxEntries
	return d.visitFolder(sys, d.Path, &left, call)
}

func (d *Directory) visitFolder(sys *system.System, folder string, left *int, call func(entryBelow) error) error {
	list, err := sys.Files().List(folder)
	if err != nil {
		return err
	}
	if *left -= len(list); *left < 0 {
		return fmt.Errorf("more than %d entries lie below %s; raise max_entries if that is meant", d.MaxEntries, d.Path)
	}
	for _, e := range list {
		one := entryBelow{e, path.Join(folder, path.Base(e.Path))}
		if d.ignored(one.path) {
			continue
		}
		err := call(one)
		if errors.Is(err, errSkipBelow) {
			continue
		}
		if err == nil && e.IsDir() && d.goesInto(sys, one) {
			err = d.visitFolder(sys, one.path, left, call)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// goesInto leaves the inside of a folder that another resource manages to that resource,
// unless recurse says otherwise.
func (d *Directory) goesInto(sys *system.System, e entryBelow) bool {
	return d.Recurse || !sys.Managed[e.path]
}

func (d *Directory) ignored(name string) bool {
	below := strings.TrimPrefix(name, strings.TrimSuffix(d.Path, "/")+"/")
	for _, pattern := range d.Ignore {
		if ok, _ := path.Match(pattern, path.Base(name)); ok {
			return true
		}
		if ok, _ := path.Match(pattern, below); ok {
			return true
		}
	}
	return false
}
