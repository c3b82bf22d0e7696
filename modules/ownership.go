package modules

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"plumb/modules/system"
	"plumb/policies"
)

// ownership is the three attributes that files and folders share. An empty one is not managed.
type ownership struct {
	owner, group, mode string
}

// mistakes checks what can be checked without a host.
func (o ownership) mistakes() []Mistake {
	var list []Mistake
	if o.mode != "" {
		list = modeMistakes("mode", o.mode)
	}
	for name, value := range map[string]string{"owner": o.owner, "group": o.group} {
		if strings.ContainsAny(value, ":/ \x00\n") {
			list = append(list, Mistake{name, fmt.Sprintf("%q is no name of an account. Write a name or a number.", value)})
		}
	}
	return list
}

func modeMistakes(attribute, mode string) []Mistake {
	if _, ok := parseMode(mode); !ok {
		return []Mistake{{attribute, fmt.Sprintf("%q is no file mode. Write three or four octal digits in quotes, such as \"0644\".", mode)}}
	}
	return nil
}

// parseMode reads permission bits in octal digits, such as "0644" or "2775".
func parseMode(text string) (uint32, bool) {
	mode, err := strconv.ParseUint(text, 8, 32)
	return uint32(mode), err == nil && mode <= 0o7777 && len(text) >= 3 && len(text) <= 5
}

// differences compares with what is there. An account that does not exist yet differs:
// the catalog may be about to make it.
func (o ownership) differences(ctx context.Context, sys *system.System, e system.Entry) ([]policies.Change, error) {
	var changes []policies.Change
	differs := func(attribute, wanted string, found func(int) string, id int, ask func(context.Context, string) (int, error)) error {
		if wanted == "" {
			return nil
		}
		want, err := ask(ctx, wanted)
		if err != nil && !errors.Is(err, system.ErrNoAccount) {
			return err
		}
		if err != nil || want != id {
			changes = append(changes, policies.Change{Attribute: attribute, Before: found(id), After: wanted})
		}
		return nil
	}
	if err := differs("owner", o.owner, sys.UserName, e.UID, sys.UserID); err != nil {
		return nil, err
	}
	if err := differs("group", o.group, sys.GroupName, e.GID, sys.GroupID); err != nil {
		return nil, err
	}
	return append(changes, o.modeDifference(e)...), nil
}

func (o ownership) modeDifference(e system.Entry) []policies.Change {
	want, ok := parseMode(o.mode)
	if !ok || want == e.Perm {
		return nil
	}
	return []policies.Change{{Attribute: "mode", Before: showMode(e.Perm), After: showMode(want)}}
}

func showMode(mode uint32) string { return fmt.Sprintf("%04o", mode) }

// planned are the changes for something that is not there yet.
func (o ownership) planned() []policies.Change {
	var changes []policies.Change
	for _, one := range []policies.Change{{Attribute: "owner", After: o.owner}, {Attribute: "group", After: o.group}, {Attribute: "mode", After: o.mode}} {
		if one.After != "" {
			changes = append(changes, one)
		}
	}
	return changes
}

// attributes turns names into numbers; an account that is still missing is an error now.
func (o ownership) attributes(ctx context.Context, sys *system.System) (system.Attributes, error) {
	var a system.Attributes
	if o.owner != "" {
		id, err := sys.UserID(ctx, o.owner)
		if err != nil {
			return a, fmt.Errorf("cannot find the owner: %w", err)
		}
		a.UID = &id
	}
	if o.group != "" {
		id, err := sys.GroupID(ctx, o.group)
		if err != nil {
			return a, fmt.Errorf("cannot find the group: %w", err)
		}
		a.GID = &id
	}
	if o.mode != "" {
		mode, ok := parseMode(o.mode)
		if !ok {
			return a, fmt.Errorf("cannot read the mode %q", o.mode)
		}
		a.Mode = &mode
	}
	return a, nil
}

// needs names the accounts that must be there before.
func (o ownership) needs() []string {
	var list []string
	if named(o.owner) {
		list = append(list, "user:"+o.owner)
	}
	if named(o.group) {
		list = append(list, "group:"+o.group)
	}
	return list
}

func named(account string) bool {
	_, err := strconv.Atoi(account)
	return account != "" && account != "root" && err != nil
}

// pathMistakes checks a path as every kind wants it.
func pathMistakes(attribute, name string) []Mistake {
	switch {
	case !strings.HasPrefix(name, "/"):
		return []Mistake{{attribute, fmt.Sprintf("%q is not an absolute path. Start it with a slash.", name)}}
	case path.Clean(name) != name:
		return []Mistake{{attribute, fmt.Sprintf("%q is not in its shortest form. Write %q.", name, path.Clean(name))}}
	case strings.ContainsAny(name, "\x00\n"):
		return []Mistake{{attribute, "A path cannot hold a line break or a zero byte. Remove it."}}
	}
	return nil
}

// parentNeeds names the folders above a path; those that the catalog manages come first.
func parentNeeds(name string) []string {
	const scheme = "path:"
	dir := path.Dir(name)
	whole, list := scheme+dir, []string(nil)
	for ; dir != "/" && dir != "."; dir = path.Dir(dir) {
		list = append(list, whole[:len(scheme)+len(dir)])
	}
	return list
}

// oneOf checks a word out of a few.
func oneOf(attribute, value string, words ...string) []Mistake {
	for _, word := range words {
		if value == word {
			return nil
		}
	}
	return []Mistake{{attribute, fmt.Sprintf("%q is not known here. Write one of: %s.", value, strings.Join(words, ", "))}}
}

// whetherAsked turns the errors of commands that cannot be asked here into ErrUnknown.
func whetherAsked(err error) error {
	if errors.Is(err, system.ErrNotRunning) || errors.Is(err, system.ErrNoTool) {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return err
}
