package lang

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"plumb/policies"
)

// waiver is a waiver block. All but whom it is for is constant, and the clock is the host's
// business: what holds when stands in the catalog.
type waiver struct {
	policies.Waiver
	appliesTo hclsyntax.Expression
	controls  []named     // each with its place
	refs      []reference // resources, named with their policies
	at        hcl.Range
}

// Waivers returns the waivers of the tree by name.
func (c *Config) Waivers() []policies.Waiver {
	list := []policies.Waiver{}
	for _, name := range sortedKeys(c.waivers) {
		list = append(list, c.waivers[name].Waiver)
	}
	return list
}

func readWaiver(l *loader, block *hcl.Block) {
	content := l.content(block.Body, []string{"title", "controls", "resources", "applies_to", "effect", "reason", "risk", "ticket", "approved_by", "from", "expires"})
	exprs := expressions(content)
	l.word(exprs["title"])
	w := &waiver{at: block.DefRange, appliesTo: exprs["applies_to"], controls: l.controlIDs(exprs["controls"]), Waiver: policies.Waiver{
		Name: l.label(block), From: l.moment(exprs["from"]).UTC(), Expires: l.moment(exprs["expires"]).UTC(), Effect: policies.WaiveAudit,
		Reason: l.word(exprs["reason"]), Risk: l.oneOf(exprs["risk"], "critical", "high", "medium", "low"), Ticket: l.word(exprs["ticket"]),
		ApprovedBy: l.plainWords(exprs["approved_by"]), Source: position(block.DefRange)}}
	if word := l.oneOf(exprs["effect"], policies.WaiveAudit, policies.WaiveSkip); word != "" {
		w.Effect = word
	}
	if attr := content.Attributes["resources"]; attr != nil {
		w.refs = l.references(attr)
	}
	w.describe(l)
	l.complete(w, exprs)
	if first := l.cfg.waivers[w.Name]; first != nil {
		l.report(duplicate("waiver", w.Name, block.DefRange, first.at))
		return
	}
	l.cfg.waivers[w.Name] = w
}

// describe keeps as text what the waiver is for.
func (w *waiver) describe(l *loader) {
	for _, one := range w.controls {
		w.Controls = append(w.Controls, one.name)
	}
	for _, ref := range w.refs {
		w.Resources = append(w.Resources, l.wording(ref.at))
	}
	if w.appliesTo != nil {
		w.AppliesTo = l.wording(w.appliesTo.Range())
	}
}

// wording is how something is written in the policy.
func (l *loader) wording(at hcl.Range) string { return string(at.SliceBytes(l.cfg.tree[at.Filename])) }

// complete reports what an exception must say, and one that is too long.
func (l *loader) complete(w *waiver, exprs map[string]hclsyntax.Expression) {
	if exprs["reason"] == nil || exprs["expires"] == nil {
		l.report(failure(w.at, "Incomplete waiver", `An exception says why it was granted and when it ends: reason = "The appliance logs in as root until version 9", `+
			`expires = "2027-02-28T23:59:59Z", 365 days at most after it was granted.`))
		return
	}
	if exprs["controls"] == nil && exprs["resources"] == nil {
		l.report(failure(w.at, "Waiver of nothing", `Name what it is for: controls = ["cis_debian12:5.1.20"], resources = [policy.base.file.motd], or both.`))
	}
	switch at := exprs["expires"].Range(); {
	case w.Expires.IsZero() || w.From.IsZero():
	case !w.From.Before(w.Expires):
		l.report(failure(at, "Unusable waiver", fmt.Sprintf("The waiver %q ends before it begins.", w.Name)))
	case w.TooLong(w.From):
		l.report(failure(at, "Waiver too long", "An exception may last 365 days. Grant it anew when it ends, so that somebody looks at it again."))
	}
}

// controlIDs reads a list of controls, each with its place.
func (l *loader) controlIDs(e hclsyntax.Expression) []named {
	var list []named
	for _, one := range items(e) {
		id, ok := l.constant(one)
		if ok && !controlForm().MatchString(id) {
			l.report(failure(one.Range(), "Unusable control", fmt.Sprintf(`%q does not name a control. Write the framework, a colon and the id, such as "cis_debian12:5.1.20".`, id)))
			continue
		}
		if ok {
			list = append(list, named{name: id, at: one.Range()})
		}
	}
	return list
}

// plainWords reads a list of constant texts.
func (l *loader) plainWords(e hclsyntax.Expression) []string {
	var list []string
	for _, one := range items(e) {
		if word, ok := l.constant(one); ok {
			list = append(list, word)
		}
	}
	return list
}

// items are those of a list that is written out, or the one expression that stands in place of it.
func items(e hclsyntax.Expression) []hclsyntax.Expression {
	if e == nil {
		return nil
	}
	if list, ok := e.(*hclsyntax.TupleConsExpr); ok {
		return list.Exprs
	}
	return []hclsyntax.Expression{e}
}
