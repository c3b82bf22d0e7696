package run

import (
	"bytes"
	"slices"
	"strings"
)

// maxList is the longest list of a package's files that is read, in bytes.
const maxList = 16 << 20

// upstream tells whether a package that patching brought since the run before is what changed
// the resource: the package itself, one of its files, or the unit of a service. It looks into
// the lists of dpkg; a host without dpkg calls such a change corrective.
func (w *work) upstream() bool {
	var brought []string
	for _, one := range w.Memory {
		for name, p := range one.Packages {
			if p.New {
				brought = append(brought, name)
			}
		}
	}
	if len(brought) == 0 {
		return false
	}
	identity := w.one.Identity()
	switch w.res.Kind {
	case "package":
		name, _, _ := strings.Cut(identity, ":")
		return slices.ContainsFunc(brought, func(b string) bool { b, _, _ = strings.Cut(b, ":"); return b == name })
	case "file", "directory", "symlink":
		return w.owned(identity, brought)
	case "service":
		if !strings.Contains(identity, ".") {
			identity += ".service"
		}
		return w.owned("/usr/lib/systemd/system/"+identity, brought)
	}
	return false
}

// owned tells whether one of the packages holds the file. A path below /usr may stand without it
// in dpkg's lists, and the other way round.
func (w *work) owned(path string, packages []string) bool {
	bare := strings.TrimPrefix(path, "/usr")
	for _, name := range packages {
		name, _, _ = strings.Cut(name, ":")
		lists, _ := w.System.Files().Glob("/var/lib/dpkg/info/"+name+":*.list", 20) // of other architectures; none is fine
		for _, list := range append(lists, "/var/lib/dpkg/info/"+name+".list") {
			raw, err := w.System.Files().Read(list, maxList)
			if err != nil {
				continue
			}
			for _, line := range [][]byte{[]byte(bare + "\n"), []byte("/usr" + bare + "\n")} {
				if bytes.HasPrefix(raw, line) || bytes.Contains(raw, append([]byte("\n"), line...)) {
					return true
				}
			}
		}
	}
	return false
}
