package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"plumb/modules/system"
	"plumb/policies"
)

// Symlink is the kind of one symbolic link.
type Symlink struct {
	Path   string `json:"path" plumb:"required" doc:"Absolute path of the link."`
	Target string `json:"target,omitempty" doc:"What the link says: an absolute path, or one relative to the link's folder. It need not exist."`
	State  string `json:"state,omitempty" doc:"present (the default) or absent."`
	Force  bool   `json:"force,omitempty" doc:"True allows to replace a file or a folder (of up to 10,000 entries) that stands in the way. Another link is always replaced."`
}

func symlinkKind() Kind {
	return Kind{
		Name: "symlink", Rank: 31,
		Doc: "One symbolic link and where it leads. A link that leads elsewhere is replaced in one instant.",
		New: func() Resource { return &Symlink{State: "present"} },
	}
}

// Identity is the path.
func (l *Symlink) Identity() string { return l.Path }

// Provides names the path.
func (l *Symlink) Provides() []string { return []string{"path:" + l.Path} }

// Needs names the folders above and the target, which may then be made in the same run.
func (l *Symlink) Needs() []string {
	list := parentNeeds(l.Path)
	if strings.HasPrefix(l.Target, "/") && l.Target != l.Path {
		list = append(list, "path:"+l.Target)
	}
	return list
}

// Validate looks at path, target and state.
func (l *Symlink) Validate() []Mistake {
	list := pathMistakes("path", l.Path)
	list = append(list, oneOf("state", l.State, "present", "absent")...)
	if l.Path == "/" {
		list = append(list, Mistake{"path", "The root folder is no link."})
	}
	if l.State == "present" && l.Target == "" {
		list = append(list, Mistake{"target", "A link needs a target. Write where it leads."})
	}
	if strings.ContainsAny(l.Target, "\x00\n") {
		list = append(list, Mistake{"target", "A target cannot hold a line break or a zero byte. Remove it."})
	}
	if l.Target == l.Path && l.Path != "" {
		list = append(list, Mistake{"target", "The link would lead to itself. Write another target."})
	}
	return list
}

// Check compares the text of the link.
func (l *Symlink) Check(_ context.Context, sys *system.System) ([]policies.Change, error) {
	e, err := sys.Files().Stat(l.Path)
	if errors.Is(err, fs.ErrNotExist) {
		if l.State == "absent" {
			return nil, nil
		}
		return []policies.Change{{Attribute: "state", Before: "absent", After: "present"}, {Attribute: "target", After: l.Target}}, nil
	}
	if err != nil {
		return nil, err
	}
	if !e.IsLink() && !l.Force {
		return nil, fmt.Errorf("a %s stands at %s and not a link; remove it, or set force", e.TypeName(), l.Path)
	}
	if l.State == "absent" {
		return []policies.Change{{Attribute: "state", Before: e.TypeName(), After: "absent"}}, nil
	}
	if !e.IsLink() {
		return []policies.Change{{Attribute: "state", Before: e.TypeName(), After: "present"}, {Attribute: "target", After: l.Target}}, nil
	}
	if e.Target == l.Target {
		return nil, nil
	}
	return []policies.Change{{Attribute: "target", Before: e.Target, After: l.Target}}, nil
}

// Apply makes, turns or removes the link.
func (l *Symlink) Apply(_ context.Context, sys *system.System, _ []policies.Change) error {
	if l.State == "absent" && l.Force {
		return sys.Files().RemoveAll(l.Path, removeLimit)
	}
	if l.State == "absent" {
		return sys.Files().Remove(l.Path)
	}
	e, err := sys.Files().Stat(l.Path)
	if err == nil && e.IsDir() && l.Force {
		if err := sys.Files().RemoveAll(l.Path, removeLimit); err != nil {
			return err
		}
	}
	return sys.Files().Symlink(l.Target, l.Path, true)
}
