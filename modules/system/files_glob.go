package system

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Glob returns the paths that match a pattern of path.Match, sorted, of at most limit. What
// is missing is no error; a name that starts with a dot only matches a pattern that does.
func (f Files) Glob(pattern string, limit int) ([]string, error) {
	found := []string{"/"}
	for _, part := range parts(pattern) {
		var next []string
		for _, dir := range found {
			names, err := f.globIn(dir, part)
			if err != nil {
				return nil, err
			}
			next = append(next, names...)
		}
		if len(next) > limit {
			return nil, fmt.Errorf("%w: more than %d paths match %s", ErrTooLarge, limit, pattern)
		}
		found = next
	}
	return found, nil
}

func (f Files) globIn(dir, part string) ([]string, error) {
	if !strings.ContainsAny(part, `*?[\`) {
		name := path.Join(dir, part)
		there, err := f.Exists(name)
		if !there {
			return nil, err
		}
		return []string{name}, nil
	}
	list, err := f.List(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range list {
		base := path.Base(e.Path)
		ok, err := path.Match(part, base)
		if err != nil {
			return nil, fmt.Errorf("cannot read the pattern %s: %w", part, err)
		}
		if ok && (base[0] != '.' || part[0] == '.') {
			names = append(names, path.Join(dir, base))
		}
	}
	return names, nil
}
