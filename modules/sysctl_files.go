package modules

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"plumb/modules/system"
)

// sysctlFolders are where settings come from at boot. A file hides those of the same name
// in later folders.
var sysctlFolders = [...]string{"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"}

const (
	sysctlLast    = "/etc/sysctl.conf"
	maxSysctlFile = 1 << 20 // bytes
)

// sysctlPath turns a key into its path below /proc/sys. Whichever of dot and slash comes
// first separates; the other then stands for itself, as in net/ipv4/conf/eth0.100/rp_filter.
func sysctlPath(key string) string {
	i := strings.IndexAny(key, "./")
	if i < 0 || key[i] == '/' {
		return key
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case '.':
			return '/'
		case '/':
			return '.'
		}
		return r
	}, key)
}

// setting is one line that sets a key.
type setting struct {
	key   string // as a path
	value string
	line  int
}

// parseSysctl reads the lines of one file; what is no setting is left out, as sysctl does.
func parseSysctl(text string) []setting {
	var list []setting
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key = strings.TrimSpace(strings.TrimPrefix(key, "-"))
		if ok && key != "" {
			list = append(list, setting{sysctlPath(key), plainValue(value), number})
		}
	}
	return list
}

// plainValue makes values comparable: the kernel separates numbers by tabs, people by spaces.
func plainValue(value string) string { return strings.Join(strings.Fields(value), " ") }

// persisted is what a key will be after the next boot, and who says so.
type persisted struct {
	value, file string
	line        int
}

func (p persisted) String() string {
	if p.file == "" {
		return "not set in any file"
	}
	return fmt.Sprintf("%s by %s line %d", p.value, p.file, p.line)
}

// persistedSysctl applies the files in the order of sysctl --system. A line that names the
// key beats a pattern that matches it, wherever the two stand.
func persistedSysctl(files system.Files, key string) (persisted, error) {
	names, err := sysctlFileNames(files)
	if err != nil {
		return persisted{}, err
	}
	var exact, pattern persisted
	for _, name := range names {
		raw, err := files.Read(name, maxSysctlFile)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, system.ErrNotFile) {
			continue // a link to /dev/null hides a file
		}
		if err != nil {
			return persisted{}, err
		}
		for _, s := range parseSysctl(string(raw)) {
			p := persisted{s.value, name, s.line}
			if s.key == key {
				exact = p
			} else if ok, _ := path.Match(s.key, key); ok {
				pattern = p
			}
		}
	}
	if exact.file != "" {
		return exact, nil
	}
	return pattern, nil
}

// sysctlFileNames lists the files in the order in which they are applied: by their names,
// whatever their folder, and /etc/sysctl.conf last.
func sysctlFileNames(files system.Files) ([]string, error) {
	chosen := map[string]string{}
	for _, folder := range sysctlFolders {
		names, err := files.Glob(folder+"/*.conf", 1000)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if _, ok := chosen[path.Base(name)]; !ok {
				chosen[path.Base(name)] = name
			}
		}
	}
	var list []string
	for _, name := range chosen {
		list = append(list, name)
	}
	slices.SortFunc(list, func(a, b string) int { return strings.Compare(path.Base(a), path.Base(b)) })
	return append(list, sysctlLast), nil
}

// withSetting returns the text of a file in which the key has the value: its last line that
// sets the key is changed, other such lines go, and everything else stays.
func withSetting(text, name, value string) string {
	line := name + " = " + value + "\n"
	lines := slices.Collect(strings.Lines(text))
	done := false
	for i := len(lines) - 1; i >= 0; i-- {
		found := parseSysctl(lines[i])
		if len(found) == 0 || found[0].key != sysctlPath(name) {
			continue
		}
		if done {
			lines = slices.Delete(lines, i, i+1)
			continue
		}
		lines[i], done = line, true
	}
	out := strings.Join(lines, "")
	if done {
		return out
	}
	if out != "" && !strings.HasSuffix(out, "\n") {
		out += "\n"
	}
	return out + line
}
