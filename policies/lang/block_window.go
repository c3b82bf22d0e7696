package lang

import (
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"plumb/modules"
	"plumb/policies"
	"plumb/policies/calendar"
)

// window is a window block. All of it is constant, so that it is the same on every host.
type window struct {
	calendar.Window
	at hcl.Range
}

// Windows returns the windows of the tree by name.
func (c *Config) Windows() []calendar.Window {
	list := []calendar.Window{}
	for _, name := range sortedKeys(c.windows) {
		list = append(list, c.windows[name].Window)
	}
	return list
}

func readWindow(l *loader, block *hcl.Block) {
	exprs := expressions(l.content(block.Body, []string{"rrule", "cron", "start", "duration", "cutoff", "timezone", "offset", "classes", "from", "until"}))
	w := calendar.Window{Name: l.label(block), RRule: l.word(exprs["rrule"]), Cron: l.word(exprs["cron"]), Start: l.word(exprs["start"]),
		Duration: l.duration(exprs["duration"]), Cutoff: l.duration(exprs["cutoff"]), Timezone: l.word(exprs["timezone"]),
		OffsetDays: l.days(exprs["offset"]), Classes: l.words(exprs["classes"], "class of change", calendar.Classes()),
		From: l.moment(exprs["from"]), Until: l.moment(exprs["until"])}
	if exprs["duration"] == nil {
		l.report(failure(block.DefRange, "Incomplete window", `A window says how long it is open: duration = "5h".`))
	} else if err := w.Check(); err != nil && !l.mistaken(block, exprs) {
		l.report(failure(block.DefRange, "Unusable window", fmt.Sprintf("The window %q cannot be used: %s.", w.Name, err)))
	}
	if first := l.cfg.windows[w.Name]; first != nil {
		l.report(duplicate("window", w.Name, block.DefRange, first.at))
		return
	}
	l.cfg.windows[w.Name] = &window{Window: w, at: block.DefRange}
}

// mistaken tells whether a mistake within the block was reported already, so that what
// follows from it need not be.
func (l *loader) mistaken(block *hcl.Block, exprs map[string]hclsyntax.Expression) bool {
	return slices.ContainsFunc(l.diags, func(d *hcl.Diagnostic) bool {
		for _, e := range exprs {
			if d.Subject != nil && d.Subject.Filename == block.DefRange.Filename && e.Range().Overlaps(*d.Subject) {
				return true
			}
		}
		return false
	})
}

// word reads constant text; it is empty where nothing stands.
func (l *loader) word(e hclsyntax.Expression) string {
	if e == nil {
		return ""
	}
	word, _ := l.constant(e)
	return word
}

// words reads a list of constant words of which each must be known.
func (l *loader) words(e hclsyntax.Expression, what string, known []string) []string {
	if e == nil {
		return nil
	}
	items := []hclsyntax.Expression{e}
	if list, ok := e.(*hclsyntax.TupleConsExpr); ok {
		items = list.Exprs
	}
	var list []string
	for _, one := range items {
		word, ok := l.constant(one)
		if ok && !slices.Contains(known, word) {
			l.report(failure(one.Range(), "Unknown word", fmt.Sprintf("There is no %s %q.%s", what, word, suggest(word, known))))
			continue
		}
		list = append(list, word)
	}
	return list
}

// days reads a duration of whole days.
func (l *loader) days(e hclsyntax.Expression) int {
	const day = 24 * 60 * 60
	n := l.duration(e)
	if n%day != 0 {
		l.report(failure(e.Range(), "Unusable offset", `An offset is whole days, such as "7d": the day after the one that the rule names, at the same time on the clock.`))
	}
	return n / day
}

// moment reads a time with its zone; it is zero where nothing stands.
func (l *loader) moment(e hclsyntax.Expression) time.Time {
	word := l.word(e)
	if word == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, word)
	if err != nil {
		l.report(failure(e.Range(), "Unusable time", fmt.Sprintf(`%q is not a time. Write date, time and zone, such as "2026-12-18T00:00:00+01:00" or "2026-12-18T00:00:00Z".`, word)))
	}
	return t
}

// windowRef is a window that a resource or a ring names.
type windowRef struct {
	name  string
	class string // that it must be open for; empty for any
	at    hcl.Range
}

// windowRefs reads window = [window.a, window.b].
func (l *loader) windowRefs(e hclsyntax.Expression, class string) []string {
	names := l.windowNames(e)
	for _, name := range names {
		l.windowUses = append(l.windowUses, windowRef{name: name, class: class, at: e.Range()})
	}
	return names
}

// windowOf reads the window of a resource.
func (l *loader) windowOf(r *resource, attr *hcl.Attribute) {
	if r.kind.Check {
		l.report(failure(attr.NameRange, "Window of a check", "A check changes nothing, so it never waits for a window. Take the argument out."))
		return
	}
	r.windows = unique(l.windowRefs(syntax(attr.Expr), classOf(r.kind)))
}

func classOf(kind modules.Kind) string { return policies.Resource{Kind: kind.Name}.Class() }

// windowsKnown reports windows that nobody declares, and those that are of no use to who
// names them, once all files are read.
func (l *loader) windowsKnown() {
	if l.unread {
		return
	}
	for _, one := range l.windowUses {
		w := l.cfg.windows[one.name]
		if w == nil {
			l.report(failure(one.at, "Unknown window", fmt.Sprintf("There is no window %q.%s Declare it with a block: window %q {}.",
				one.name, suggest(one.name, sortedKeys(l.cfg.windows)), one.name)))
		} else if one.class != "" && !w.Permits(one.class) {
			l.report(failure(one.at, "Window for other changes", fmt.Sprintf("The window %q at %s:%d is not for changes of class %s, so it would never let this change start. "+
				"Add %q to its classes, or name another window.", one.name, w.at.Filename, w.at.Start.Line, one.class, one.class)))
		}
	}
}

// windows returns those that the resources of a catalog name, nil when there are none.
func (r *run) windows(list []policies.Resource) map[string]calendar.Window {
	var named map[string]calendar.Window
	for _, one := range list {
		for _, name := range one.Window {
			if named == nil {
				named = map[string]calendar.Window{}
			}
			named[name] = r.cfg.windows[name].Window
		}
	}
	return named
}
