package run

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"plumb/policies"
	"plumb/policies/canon"
)

// Caps on what a result says about one resource, in bytes, and on a whole result.
const (
	maxMessage = 2 << 10
	maxValue   = 1 << 10
	maxDiff    = 16 << 10
	maxChanges = 200 // changes, not bytes
	// MaxResult is what a whole result may have, see [Trim].
	MaxResult = 4 << 20
)

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
			*c = policies.Change{Attribute: c.Attribute, Before: s.hide(c.Attribute, c.Before), After: s.hide(c.Attribute, c.After)}
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

// Trim takes detail out of a result that is longer than [MaxResult].
func Trim(result *policies.Result) { trim(result, MaxResult) }

// trim takes detail out of a result that is too large, diffs first. A status is never lost.
func trim(result *policies.Result, limit int) {
	if fits(*result, limit) {
		return
	}
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

// fits tells, without encoding it, that a result surely has no more bytes than that: where little is to
// be told, which is nearly always, there is no need to count.
func fits(result policies.Result, limit int) bool {
	const names, longest = 128, 6 // bytes of JSON for what holds a text, and for one byte of it
	room := limit - names - len(result.Catalog)*longest
	for _, one := range result.Resources {
		if len(one.Changes) > 0 || one.Patched != nil || one.Flapping != nil {
			return false
		}
		room -= names + longest*(len(one.Address)+len(one.Status)+len(one.Mode)+len(one.Cause)+len(one.From)+len(one.To)+len(one.Message)+len(one.By))
	}
	return room >= 0
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
	raw, err := canon.Marshal(result)
	if err != nil {
		return 0 // strings always encode
	}
	return len(raw)
}
