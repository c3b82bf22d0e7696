package system

import (
	"slices"
	"strings"
)

// RPMHost tells whether the packages of this host are rpm's. What os-release says counts
// before the tools that are there: a Debian host may have rpm and dnf, too.
func (s *System) RPMHost() bool { return s.rpmFamily() != "" }

// rpmTool is dnf or zypper on a running host that has its packages from there, else nothing:
// below another root there is nobody to ask.
func (s *System) rpmTool() string {
	tool := map[string]string{"rhel": "dnf", "suse": "zypper"}[s.rpmFamily()]
	if tool == "" || !s.Running() {
		return ""
	}
	if there, err := s.Files().Exists("/usr/bin/" + tool); err != nil || !there {
		return ""
	}
	return tool
}

// rpmFamily is rhel or suse, or nothing.
func (s *System) rpmFamily() string {
	raw, err := s.Files().Read("/etc/os-release", 1<<20)
	if err != nil {
		raw, _ = s.Files().Read("/usr/lib/os-release", 1<<20)
	}
	var words []string
	for line := range strings.Lines(string(raw)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key == "ID" || key == "ID_LIKE" {
			words = append(words, strings.Fields(strings.Trim(value, `"'`))...)
		}
	}
	for _, word := range words {
		switch {
		case slices.Contains([]string{"rhel", "fedora", "centos", "amzn"}, word):
			return "rhel"
		case slices.Contains([]string{"suse", "sles", "opensuse"}, word):
			return "suse"
		}
	}
	return ""
}
