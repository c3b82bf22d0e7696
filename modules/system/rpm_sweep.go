package system

import (
	"context"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// sweep removes what a killed rpm left of the files of some versions: it unpacks each to PATH;6b028877, the
// second in which its transaction began, and renames it. A transaction of the same second cannot unpack
// what is left there, and goes on with its other packages. What cannot be looked at stays: should rpm stumble
// over it, then that is told.
func (r rpmDatabase) sweep(ctx context.Context, list []Target, locate func(Target) (string, bool)) {
	names := r.fileNames(ctx, list, locate)
	for folder := range names {
		entries, err := r.s.Files().List(folder)
		if err != nil {
			continue
		}
		for _, e := range entries {
			name := path.Base(e.Path)
			if of, ok := unpackedAs(name); ok && slices.Contains(names[folder], of) && e.Type != fs.ModeDir {
				_ = r.s.Files().Remove(path.Join(folder, name))
			}
		}
	}
}

// unpackedAs returns the name of the file that a temporary file of rpm was to become.
func unpackedAs(name string) (of string, ok bool) {
	i := strings.LastIndexByte(name, ';')
	if i < 1 || len(name)-i != len(";6b028877") || strings.Trim(name[i+1:], "0123456789abcdef") != "" {
		return "", false
	}
	return name[:i], true
}

// fileNames lists the files of what was fetched, by folder.
func (r rpmDatabase) fileNames(ctx context.Context, list []Target, locate func(Target) (string, bool)) map[string][]string {
	argv := []string{"rpm", "-qpl", "--nosignature", "--"}
	none := len(argv)
	for _, t := range list {
		if file, ok := locate(t); ok {
			argv = append(argv, file)
		}
	}
	if len(argv) == none {
		return nil
	}
	out, err := r.s.must(ctx, Command{Argv: argv, Timeout: rpmQueryLimit, MaxOutput: rpmMaxOutput})
	if err != nil {
		return nil
	}
	return byFolder(out)
}

// byFolder reads lines of rpm -l.
func byFolder(out string) map[string][]string {
	names := map[string][]string{}
	for line := range strings.Lines(out) {
		folder, name := path.Split(strings.TrimSuffix(line, "\n"))
		if strings.HasPrefix(folder, "/") && name != "" {
			names[folder] = append(names[folder], name)
		}
	}
	return names
}
