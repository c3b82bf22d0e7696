package system

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// SSHDConfig is the main configuration file of sshd.
const SSHDConfig = "/etc/ssh/sshd_config"

const (
	sshdMaxFile  = 1 << 20 // bytes
	sshdMaxFiles = 512
	sshdMaxDepth = 16 // of includes, as in sshd
)

// SSHDSetting is one line of sshd's configuration. It serves to tell people where a value
// comes from; which value counts is for sshd to say.
type SSHDSetting struct {
	// Keyword is in small letters; Value is the rest of the line.
	Keyword, Value string
	// File and Line tell where, counted from 1.
	File string
	Line int
	// Match is the condition of the Match block around it, empty outside of any.
	Match string
}

// SSHDSettings returns the lines of sshd's configuration in the order in which sshd reads
// them, includes in their place, and a digest that changes with any of the files.
func (s *System) SSHDSettings() ([]SSHDSetting, string, error) {
	w := sshdWalk{sys: s}
	if err := w.file(SSHDConfig, 0, ""); err != nil {
		return nil, "", fmt.Errorf("cannot read sshd's configuration: %w", err)
	}
	sum := sha256.Sum256([]byte(w.bytes.String()))
	return w.list, hex.EncodeToString(sum[:]), nil
}

type sshdWalk struct {
	sys   *System
	list  []SSHDSetting
	files int
	bytes strings.Builder
}

// file reads one file. sshd passes over an include that is not there, and so do we.
func (w *sshdWalk) file(name string, depth int, match string) error {
	w.files++
	if depth > sshdMaxDepth || w.files > sshdMaxFiles {
		return errors.New("it includes too many files")
	}
	raw, err := w.sys.Files().Read(name, sshdMaxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(&w.bytes, "%s %d\n%s", name, len(raw), raw)
	for _, one := range parseSSHDConfig(name, match, string(raw)) {
		if one.Keyword != "include" {
			w.list = append(w.list, one)
			continue
		}
		if err := w.include(one, depth); err != nil {
			return err
		}
	}
	return nil
}

// include reads the files of one Include line, sorted by name as glob(3) sorts them.
func (w *sshdWalk) include(one SSHDSetting, depth int) error {
	for _, pattern := range strings.Fields(one.Value) {
		pattern = strings.Trim(pattern, `"`)
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join("/etc/ssh", pattern)
		}
		names, err := filepath.Glob(filepath.Join(w.sys.rootPath(), pattern))
		if err != nil {
			continue // sshd will say so itself
		}
		for _, name := range names {
			if strings.HasPrefix(filepath.Base(name), ".") {
				continue // glob(3) leaves hidden files out
			}
			inside, err := filepath.Rel(w.sys.rootPath(), name)
			if err != nil {
				return err
			}
			if err := w.file("/"+inside, depth+1, one.Match); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseSSHDConfig splits a file into its settings. match is the condition under which the
// whole file is included.
func parseSSHDConfig(file, match, text string) []SSHDSetting {
	var list []SSHDSetting
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		keyword, value := splitSSHDLine(line)
		if keyword == "match" {
			match = value
			if strings.EqualFold(value, "all") {
				match = ""
			}
			continue
		}
		list = append(list, SSHDSetting{Keyword: keyword, Value: value, File: file, Line: number, Match: match})
	}
	return list
}

// splitSSHDLine takes "Keyword value", "Keyword=value" and anything in between apart.
func splitSSHDLine(line string) (keyword, value string) {
	end := strings.IndexAny(line, " \t=")
	if end < 0 {
		return strings.ToLower(line), ""
	}
	value = strings.TrimLeft(line[end:], " \t")
	value = strings.TrimLeft(strings.TrimPrefix(value, "="), " \t")
	return strings.ToLower(line[:end]), value
}
