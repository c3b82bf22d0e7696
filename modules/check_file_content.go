package modules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"plumb/modules/system"
	"plumb/policies"
)

// FileContentCheck is the check of what files hold and whose they are.
type FileContentCheck struct {
	Path         string `json:"path" plumb:"required" doc:"Absolute path, or a pattern with * ? [ ] in any part; it then speaks of every file that matches, 1000 at most."`
	MustExist    bool   `json:"must_exist" doc:"True (the default) wants the file, or one file of the pattern, to be there. Set it to false when a missing file is fine."`
	MustMatch    string `json:"must_match,omitempty" doc:"Regular expression (RE2) that must match the content of each file. ^ and $ stand for the ends of a line."`
	MustNotMatch string `json:"must_not_match,omitempty" doc:"Regular expression that must not match the content of any file."`
	Any          bool   `json:"any,omitempty" doc:"True is content when must_match matches in one of the files of a pattern."`
	Owner        string `json:"owner,omitempty" doc:"Name or number of the user who must own each file."`
	Group        string `json:"group,omitempty" doc:"Name or number of the group that each file must have."`
	MaxMode      string `json:"max_mode,omitempty" doc:"Permission bits that may be set at most, in octal: with \"0640\" a file of 0600 is fine, one of 0644 is not."`
}

// maxContent is the largest file whose content is judged, in bytes.
const maxContent = 1 << 20

func fileContentCheckKind() Kind {
	return Kind{
		Name: "file_content", Check: true, Rank: 100,
		Doc: "What files hold, who owns them and who may read them. A file of more than 1 MiB, or one behind a link that another user could have made, is unknown and never passed.",
		New: func() Resource { return &FileContentCheck{MustExist: true} },
	}
}

// Identity is the whole declaration.
func (c *FileContentCheck) Identity() string { return wholeIdentity(c) }

// Validate looks at path, expressions and mode.
func (c *FileContentCheck) Validate() []Mistake {
	list := pathMistakes("path", c.Path)
	list = append(list, patternMistakes("must_match", c.MustMatch)...)
	list = append(list, patternMistakes("must_not_match", c.MustNotMatch)...)
	list = append(list, ownership{owner: c.Owner, group: c.Group}.mistakes()...)
	if c.MaxMode != "" {
		list = append(list, modeMistakes("max_mode", c.MaxMode)...)
	}
	if _, err := path.Match(c.Path, ""); err != nil {
		list = append(list, Mistake{"path", fmt.Sprintf("%q is no pattern. Close its bracket.", c.Path)})
	}
	if c.Any && c.MustMatch == "" {
		list = append(list, Mistake{"any", "It only counts with must_match. Add it, or remove any."})
	}
	return list
}

// Check judges every file that matches.
func (c *FileContentCheck) Check(ctx context.Context, sys *system.System) ([]policies.Change, error) {
	names, err := sys.Files().Glob(c.Path, 1000)
	if err != nil {
		return nil, unknownFile(err)
	}
	if len(names) == 0 && c.MustExist {
		return []policies.Change{{Attribute: "path", Before: c.Path + " is missing", After: "present"}}, nil
	}
	var changes []policies.Change
	matched := false
	for _, name := range names {
		more, ok, err := c.one(ctx, sys, name)
		if err != nil {
			return nil, err
		}
		matched = matched || ok
		for _, change := range more {
			if len(names) > 1 {
				change.Before = name + ": " + change.Before
			}
			changes = append(changes, change)
		}
	}
	if c.Any && !matched && len(names) > 0 {
		changes = append(changes, policies.Change{Attribute: "content", Before: fmt.Sprintf("no match in %d files", len(names)), After: "matches " + c.MustMatch})
	}
	return firstFew(changes), nil
}

func (c *FileContentCheck) one(ctx context.Context, sys *system.System, name string) (changes []policies.Change, matched bool, err error) {
	e, raw, err := sys.Files().Load(name, true, maxContent)
	if errors.Is(err, fs.ErrNotExist) {
		return []policies.Change{{Attribute: "path", Before: name + " leads nowhere", After: "present"}}, false, nil
	}
	judges := c.MustMatch != "" || c.MustNotMatch != ""
	if err != nil && (judges || !errors.Is(err, system.ErrTooLarge)) {
		return nil, false, unknownFile(err)
	}
	if judges && !e.IsFile() {
		return nil, false, fmt.Errorf("%w: %s is a %s", ErrUnknown, name, e.TypeName())
	}
	changes, err = ownership{owner: c.Owner, group: c.Group}.differences(ctx, sys, e)
	if err != nil {
		return nil, false, err
	}
	changes = append(changes, c.modeDifference(e)...)
	if !judges {
		return changes, false, nil
	}
	must := c.MustMatch
	if c.Any {
		pattern, err := compilePattern(must)
		if err != nil {
			return nil, false, err
		}
		matched, must = pattern.Match(raw), ""
	}
	more, err := judge("content", raw, must, c.MustNotMatch)
	return append(changes, more...), matched, err
}

func (c *FileContentCheck) modeDifference(e system.Entry) []policies.Change {
	limit, ok := parseMode(c.MaxMode)
	if !ok || e.Perm&^limit == 0 {
		return nil
	}
	return []policies.Change{{Attribute: "mode", Before: showMode(e.Perm), After: showMode(limit) + " or stricter"}}
}

func unknownFile(err error) error {
	if errors.Is(err, system.ErrTooLarge) || errors.Is(err, system.ErrUntrusted) || errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return err
}

// firstFew keeps a report small when hundreds of files differ.
func firstFew(changes []policies.Change) []policies.Change {
	const shown = 20
	if len(changes) <= shown {
		return changes
	}
	rest := policies.Change{Attribute: "content", Before: fmt.Sprintf("%d more differences", len(changes)-shown), After: "none"}
	return append(changes[:shown:shown], rest)
}
