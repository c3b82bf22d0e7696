package system

import (
	"bytes"
	"cmp"
	"strings"
)

// scanStatus calls add for each stanza of dpkg's status file. It reads only the fields that
// we need and passes over whatever it does not understand, as dpkg's own tools do.
func scanStatus(raw []byte, add func(Package)) {
	var p Package
	for len(raw) > 0 {
		line, rest, _ := bytes.Cut(raw, []byte("\n"))
		raw = rest
		if len(bytes.TrimSpace(line)) == 0 {
			addStanza(p, add)
			p = Package{}
			continue
		}
		if line[0] != ' ' && line[0] != '\t' {
			p.take(line)
		}
	}
	addStanza(p, add)
}

// addStanza completes a stanza. Images without dpkg write no Status: what is there is installed.
func addStanza(p Package, add func(Package)) {
	if p.Name == "" {
		return
	}
	if p.Want == "" {
		p.Want, p.Flag, p.Status = "install", "ok", "installed"
	}
	if p.Source == "" {
		p.Source = p.Name
	}
	p.SourceVersion = cmp.Or(p.SourceVersion, p.Version)
	add(p)
}

// take reads one "Field: value" line. The switch on bytes costs no allocation for the
// fields that are passed over, which are most.
func (p *Package) take(line []byte) {
	field, value, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return
	}
	switch string(field) {
	case "Package":
		p.Name = text(value)
	case "Version":
		p.Version = text(value)
	case "Architecture":
		p.Arch = text(value)
	case "Essential":
		p.Essential = text(value) == "yes"
	case "Source": // "Source: glibc (2.36-9)" names a version that differs
		p.Source, p.SourceVersion = splitSource(text(value))
	case "Status":
		p.setState(strings.Fields(string(value)))
	}
}

// setState takes the three words. A line that has not three is a state that nobody knows,
// which is never installed.
func (p *Package) setState(words []string) {
	p.Want, p.Flag, p.Status = "unknown", "ok", "not-installed"
	if len(words) == 3 {
		p.Want, p.Flag, p.Status = words[0], words[1], words[2]
	}
}

func text(value []byte) string { return string(bytes.TrimSpace(value)) }
