package modules

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"plumb/inventory"
	"plumb/modules/system"
	"plumb/policies"
)

// maxFile is the largest content that a policy manages, in bytes.
const maxFile = 64 << 20

// removeLimit is how many entries force may remove with a folder.
const removeLimit = 10_000

// File is the kind of one regular file.
type File struct {
	Path         string   `json:"path" plumb:"required" doc:"Absolute path of the file."`
	State        string   `json:"state,omitempty" doc:"present (the default) or absent."`
	Content      *string  `json:"content,omitempty" doc:"Whole content of the file. Without content and source only existence, owner and mode are managed; a missing file is made empty."`
	Source       string   `json:"source,omitempty" plumb:"tree" doc:"File of the policy tree whose bytes become the content; for binary or long files. Not together with content."`
	SourceDigest string   `json:"source_digest,omitempty" plumb:"computed" doc:"SHA-256 of the source."`
	Owner        string   `json:"owner,omitempty" doc:"Name or number of the owner. Not managed when absent."`
	Group        string   `json:"group,omitempty" doc:"Name or number of the group. Not managed when absent."`
	Mode         string   `json:"mode,omitempty" doc:"Permission bits in octal, such as \"0644\". Not managed when absent; a new file then gets 0644."`
	Backup       int      `json:"backup" doc:"How many old versions the agent keeps in its own folder, 3 by default, 0 for none. The very first one is always kept besides."`
	CreateOnly   bool     `json:"create_only,omitempty" doc:"True makes the file when it is missing and never changes its content afterwards."`
	Links        string   `json:"links,omitempty" doc:"What to do when the path is a symbolic link: refuse (the default, an error), follow (manage what it leads to, if only root can have made the link) or replace (put a file in its place)."`
	ValidateCmd  []string `json:"validate_cmd,omitempty" doc:"Program and arguments that judge new content before it takes its place; % stands for the path of a temporary file beside the real one, %% for a percent sign. When it fails, the old file stays."`
	Force        bool     `json:"force,omitempty" doc:"True allows to remove a folder that stands in the way, with up to 10,000 entries below it."`
	Shared       bool     `json:"shared,omitempty" doc:"True allows a folder in which others than root and the file's owner may replace files. Without it that is an error, because they could replace this one."`
}

func fileKind() Kind {
	return Kind{
		Name: "file", Rank: 30,
		Doc: "One regular file: its content, owner and mode. New content takes the place of the old in one instant, also when the host loses power, " +
			"and only after validate_cmd has agreed. A link or folder that another user could have planted is never followed.",
		New: func() Resource { return &File{State: "present", Links: "refuse", Backup: 3} },
	}
}

// Identity is the path.
func (f *File) Identity() string { return f.Path }

// Provides names the path.
func (f *File) Provides() []string { return []string{"path:" + f.Path} }

// Needs names the folders above, the owner and the group.
func (f *File) Needs() []string { return append(parentNeeds(f.Path), f.ownership().needs()...) }

func (f *File) ownership() ownership { return ownership{f.Owner, f.Group, f.Mode} }

// Validate looks at path, state, mode and at attributes that exclude each other.
func (f *File) Validate() []Mistake {
	list := append(pathMistakes("path", f.Path), f.ownership().mistakes()...)
	list = append(list, oneOf("state", f.State, "present", "absent")...)
	list = append(list, oneOf("links", f.Links, "refuse", "follow", "replace")...)
	if f.Path == "/" {
		list = append(list, Mistake{"path", "The root folder is no file."})
	}
	if f.Content != nil && f.Source != "" {
		list = append(list, Mistake{"source", "content and source exclude each other. Keep one of them."})
	}
	if f.State == "absent" && (f.Content != nil || f.Source != "") {
		list = append(list, Mistake{"state", "A file that shall be absent has no content. Remove content and source, or the state."})
	}
	if f.Source != "" && !fs.ValidPath(f.Source) {
		list = append(list, Mistake{"source", fmt.Sprintf("%q is no path inside the policy tree. Write it relative to the root of the repository, without dots.", f.Source)})
	}
	if len(f.ValidateCmd) > 0 && !strings.Contains(strings.Join(f.ValidateCmd[1:], " "), "%") {
		list = append(list, Mistake{"validate_cmd", "No argument holds %, which stands for the file to judge. Write it where the program wants the path."})
	}
	if f.Backup < 0 {
		list = append(list, Mistake{"backup", "Write how many old versions to keep, 0 for none."})
	}
	return list
}

// Check compares content, owner and mode.
func (f *File) Check(ctx context.Context, sys *system.System) ([]policies.Change, error) {
	managed := f.Content != nil || f.Source != ""
	limit := int64(0) // content that is not managed is not read
	if managed && !f.CreateOnly {
		limit = maxFile
	}
	room := rooms.Get().(*[]byte)
	defer rooms.Put(room)
	e, raw, err := sys.Files().LoadInto(*room, f.Path, f.Links == "follow", limit)
	if cap(raw) > cap(*room) && cap(raw) <= maxRoom {
		*room = raw[:0]
	}
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing && !errors.Is(err, system.ErrTooLarge) {
		return nil, err
	}
	if f.State == "absent" {
		return f.checkAbsent(e, missing)
	}
	if raw != nil && f.Content != nil && string(raw) == *f.Content { // nearly always
		return f.ownership().differences(ctx, sys, e)
	}
	wanted, _, err := f.wanted(sys)
	if err != nil {
		return nil, err
	}
	if missing || !e.IsFile() {
		return f.checkMissing(e, missing, wanted, managed)
	}
	changes, err := f.ownership().differences(ctx, sys, e)
	if err != nil || limit == 0 || raw != nil && bytes.Equal(raw, wanted) {
		return changes, err
	}
	return append([]policies.Change{contentChange(e, raw, wanted)}, changes...), nil
}

// rooms are what Check reads into: most files are as they should be, and nothing is kept of them.
var rooms = sync.Pool{New: func() any { return new([]byte) }}

// maxRoom is the largest room that is kept, in bytes.
const maxRoom = 1 << 20

func (f *File) checkAbsent(e system.Entry, missing bool) ([]policies.Change, error) {
	if missing {
		return nil, nil
	}
	if e.IsDir() && !f.Force {
		return nil, fmt.Errorf("%s is a folder; set force to remove it, or use the kind directory", f.Path)
	}
	return []policies.Change{{Attribute: "state", Before: e.TypeName(), After: "absent"}}, nil
}

// checkMissing is for a path with nothing, or with something else than a file.
func (f *File) checkMissing(e system.Entry, missing bool, wanted []byte, managed bool) ([]policies.Change, error) {
	found := "absent"
	if !missing {
		found = e.TypeName()
		if err := f.inTheWay(e); err != nil {
			return nil, err
		}
	}
	changes := []policies.Change{{Attribute: "state", Before: found, After: "present"}}
	if managed {
		changes = append(changes, policies.Change{Attribute: "content", After: describeContent(wanted), Diff: textDiff(nil, wanted)})
	}
	return append(changes, f.ownership().planned()...), nil
}

// inTheWay says what a policy must allow before something else is replaced by the file.
func (f *File) inTheWay(e system.Entry) error {
	switch {
	case e.IsLink() && f.Links == "refuse":
		return fmt.Errorf("%s is a symbolic link to %s; name that path, or set links to follow or replace", f.Path, e.Target)
	case e.IsLink():
		return nil
	case f.Force && e.IsDir():
		return nil
	default:
		return fmt.Errorf("a %s stands at %s; remove it, or set force if it is a folder that may go", e.TypeName(), f.Path)
	}
}

// wanted returns the content, and whether content is managed at all.
func (f *File) wanted(sys *system.System) ([]byte, bool, error) {
	if f.Content != nil {
		return []byte(*f.Content), true, nil
	}
	if f.Source == "" {
		return nil, false, nil
	}
	if sys.Tree == nil {
		return nil, false, fmt.Errorf("cannot read source %s: this run has no policy tree", f.Source)
	}
	raw, err := fs.ReadFile(sys.Tree, f.Source)
	if err != nil {
		return nil, false, fmt.Errorf("cannot read source: %w", err)
	}
	if f.SourceDigest != "" && inventory.Digest(raw) != f.SourceDigest {
		return nil, false, fmt.Errorf("source %s is not the file that the catalog was made with", f.Source)
	}
	return raw, true, nil
}

// contentChange never holds the content itself, but in Diff: a sensitive one is blanked there.
func contentChange(e system.Entry, raw, wanted []byte) policies.Change {
	c := policies.Change{Attribute: "content", After: describeContent(wanted)}
	if raw == nil {
		c.Before = fmt.Sprintf("%d bytes", e.Size)
		return c
	}
	c.Before = describeContent(raw)
	if e.Sure {
		c.Diff = textDiff(raw, wanted)
	}
	return c
}

func describeContent(raw []byte) string {
	return fmt.Sprintf("sha256:%s… (%d bytes)", inventory.Digest(raw)[:12], len(raw))
}
