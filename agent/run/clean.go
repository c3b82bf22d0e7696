package run

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"plumb/modules"
	"plumb/policies"
)

// Caps on what a result says about one resource, in bytes, and on a whole result.
const (
	maxMessage = 2 << 10
	maxValue   = 1 << 10
	maxDiff    = 16 << 10
	maxChanges = 200 // changes, not bytes
	maxResult  = 4 << 20
)

const hidden = "(sensitive)"

// secrets are what must not be shown of one resource.
type secrets struct {
	attributes []string
	values     []string // the longest first, so that no part of one survives
}

// Secret names the attributes that policy or the kind calls secret.
func Secret(res policies.Resource) []string {
	names := slices.Clone(res.Sensitive)
	if kind, ok := modules.Find(res.Kind, res.Check); ok {
		for _, a := range kind.Attributes() {
			if a.Secret {
				names = append(names, a.Name)
			}
		}
	}
	return names
}

// secretsOf collects the secret attributes and their values.
func secretsOf(res policies.Resource) secrets {
	s := secrets{attributes: Secret(res)}
	if len(s.attributes) == 0 {
		return s
	}
	var all map[string]any
	if json.Unmarshal(res.Attributes, &all) == nil {
		for _, name := range s.attributes {
			s.collect(all[name])
		}
	}
	slices.SortFunc(s.values, func(a, b string) int { return len(b) - len(a) })
	return s
}

// collect takes every string of a value, whole and line by line: a tool that complains about a
// file quotes one line of it.
func (s *secrets) collect(v any) {
	switch v := v.(type) {
	case string:
		if len(v) >= 3 {
			s.values = append(s.values, v)
		}
		for line := range strings.Lines(v) {
			if line = strings.TrimSpace(line); len(line) >= 6 && line != v {
				s.values = append(s.values, line)
			}
		}
	case []any:
		for _, one := range v {
			s.collect(one)
		}
	case map[string]any:
		for _, one := range v {
			s.collect(one)
		}
	}
}

// covers tells whether a change is one of a secret attribute or of a part of it, such as
// env.TOKEN of env.
func (s secrets) covers(attribute string) bool {
	return slices.ContainsFunc(s.attributes, func(name string) bool {
		rest, ok := strings.CutPrefix(attribute, name)
		return ok && (rest == "" || strings.ContainsAny(rest[:1], ".[ "))
	})
}

func (s secrets) scrub(text string) string {
	for _, value := range s.values {
		text = strings.ReplaceAll(text, value, hidden)
	}
	return text
}

// clean makes a resource's result fit to be shown and stored: without secrets, without
// control characters, and not too long.
func clean(out *policies.ResourceResult, s secrets) {
	out.Message = plain(s.scrub(out.Message), maxMessage)
	if len(out.Changes) > maxChanges {
		out.Changes = out.Changes[:maxChanges]
	}
	out.Changes = slices.Clone(out.Changes)
	for i := range out.Changes {
		c := &out.Changes[i]
		if s.covers(c.Attribute) {
			*c = policies.Change{Attribute: c.Attribute, Before: hide(c.Before), After: hide(c.After)}
		}
		c.Attribute = plain(c.Attribute, maxValue)
		c.Before, c.After = plain(s.scrub(c.Before), maxValue), plain(s.scrub(c.After), maxValue)
		c.Diff = plain(s.scrub(c.Diff), maxDiff)
	}
	cleanPatched(out, s)
	if f := out.Flapping; f != nil {
		for i, name := range f.Writers {
			f.Writers[i] = Plain(name)
		}
	}
}

func hide(value string) string {
	if value == "" {
		return ""
	}
	return hidden
}

// Plain is text fit for a report: one line of 1 KiB at most, without control characters.
func Plain(text string) string {
	return plain(strings.Join(strings.Fields(text), " "), maxValue)
}

// plain cuts a text to a length and keeps nothing that could drive a terminal.
func plain(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return '\uFFFD'
		}
		return r
	}, text)
	if len(text) <= limit {
		return text
	}
	const more = " …"
	cut := limit - len(more)
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + more
}

// trim takes detail out of a result that is too large, diffs first. A status is never lost.
func trim(result *policies.Result, limit int) {
	shorten := []func(*policies.Change){
		func(c *policies.Change) { c.Diff = "" },
		func(c *policies.Change) { c.Before, c.After = plain(c.Before, 60), plain(c.After, 60) },
	}
	for _, f := range shorten {
		if size(*result) <= limit {
			return
		}
		for i := range result.Resources {
			for j := range result.Resources[i].Changes {
				f(&result.Resources[i].Changes[j])
			}
		}
	}
	if size(*result) > limit {
		Strip(result)
	}
}

// Strip leaves only what stands, without what was found: addresses, statuses, modes, causes,
// and where a patch cycle is.
func Strip(result *policies.Result) {
	for i := range result.Resources {
		one := &result.Resources[i]
		one.Changes, one.Message = nil, plain(one.Message, 80)
		if p := one.Patched; p != nil {
			one.Patched = &policies.Patched{Cycle: p.Cycle, Set: p.Set, Phase: p.Phase, RolledBack: p.RolledBack}
		}
	}
}

func size(result policies.Result) int {
	raw, err := json.Marshal(result)
	if err != nil {
		return 0 // strings always encode
	}
	return len(raw)
}
