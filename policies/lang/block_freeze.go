package lang

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"plumb/policies/calendar"
)

// freeze is a freeze block. Only whom it is for differs from host to host.
type freeze struct {
	calendar.Freeze
	groups []hclsyntax.Expression
	at     hcl.Range
}

// lanes are the ways of a change that a freeze may let pass.
func lanes() []string { return []string{"emergency"} }

// Freezes returns the freezes of the tree by name.
func (c *Config) Freezes() []calendar.Freeze {
	list := []calendar.Freeze{}
	for _, name := range sortedKeys(c.freezes) {
		list = append(list, c.freezes[name].Freeze)
	}
	return list
}

func readFreeze(l *loader, block *hcl.Block) {
	exprs := expressions(l.content(block.Body, []string{"from", "until", "groups", "classes", "allow", "reason"}))
	f := &freeze{at: block.DefRange, Freeze: calendar.Freeze{Name: l.label(block), From: l.moment(exprs["from"]), Until: l.moment(exprs["until"]),
		Classes: l.words(exprs["classes"], "class of change", calendar.Classes()), Allow: l.words(exprs["allow"], "lane", lanes()), Reason: l.word(exprs["reason"])}}
	f.groups = l.freezeGroups(f, exprs["groups"])
	if exprs["from"] == nil || exprs["until"] == nil {
		l.report(failure(block.DefRange, "Incomplete freeze", `A freeze says from when and until when it holds: from = "2026-12-18T00:00:00+01:00", until = "2027-01-04T06:00:00+01:00".`))
	} else if err := f.Check(); err != nil && !l.mistaken(block, exprs) {
		l.report(failure(block.DefRange, "Unusable freeze", fmt.Sprintf("The freeze %q cannot be used: %s.", f.Name, err)))
	}
	if first := l.cfg.freezes[f.Name]; first != nil {
		l.report(duplicate("freeze", f.Name, block.DefRange, first.at))
		return
	}
	l.cfg.freezes[f.Name] = f
}

// freezeGroups reads the conditions of which one is enough, and keeps their text for people.
func (l *loader) freezeGroups(f *freeze, e hclsyntax.Expression) []hclsyntax.Expression {
	if e == nil {
		return nil
	}
	items := []hclsyntax.Expression{e}
	if list, ok := e.(*hclsyntax.TupleConsExpr); ok {
		items = list.Exprs
	}
	if len(items) == 0 {
		l.report(failure(e.Range(), "Freeze of nothing", "The list is empty, so the freeze would hold nowhere. Name groups, or take the argument out to freeze every host."))
	}
	for _, one := range items {
		f.Groups = append(f.Groups, string(one.Range().SliceBytes(l.cfg.tree[one.Range().Filename])))
	}
	return items
}

// freezes returns those that hold for the host, nil when there are none.
func (s *scope) freezes() []calendar.Freeze {
	var list []calendar.Freeze
	for _, name := range sortedKeys(s.cfg.freezes) {
		f, holds := s.cfg.freezes[name], false
		for _, one := range f.groups {
			holds = s.condition(one, nil, "A group of a freeze") || holds
		}
		if holds || len(f.groups) == 0 {
			list = append(list, f.Freeze)
		}
	}
	return list
}
