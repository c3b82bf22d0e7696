package lang

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"plumb/policies/patch"
)

// sla is a patch_sla block. All but its applies_to is constant.
type sla struct {
	patch.SLA
	appliesTo hclsyntax.Expression
	at        hcl.Range
}

func readPatchSLA(l *loader, block *hcl.Block) {
	content := l.content(block.Body, []string{"title", "applies_to", "anchor", "within", "exploited"})
	exprs := expressions(content)
	one := &sla{appliesTo: exprs["applies_to"], at: block.DefRange, SLA: patch.SLA{Name: l.label(block), Anchor: patch.FirstSeen,
		Within: map[string]int{}, Exploited: l.duration(exprs["exploited"]), At: position(block.DefRange)}}
	l.word(exprs["title"])
	if word := l.words(exprs["anchor"], "anchor", []string{patch.FirstSeen, patch.Published}); len(word) == 1 {
		one.Anchor = word[0]
	}
	within := l.object(content.Attributes["within"])
	for _, severity := range sortedKeys(within) {
		one.Within[severity] = l.within(severity, within[severity])
	}
	if len(within) == 0 && exprs["exploited"] == nil {
		l.report(failure(block.DefRange, "SLA without a time", `A patch SLA says how fast updates have to be in: within = { critical = "7d", high = "14d" }.`))
	}
	if first := l.cfg.slas[one.Name]; first != nil {
		l.report(duplicate("patch_sla", one.Name, block.DefRange, first.at))
		return
	}
	l.cfg.slas[one.Name] = one
}

func (l *loader) within(severity string, given *named) int {
	known := patch.Severities()
	if !slices.Contains(known, severity) {
		l.report(failure(given.at, "Unknown word", fmt.Sprintf("There is no severity %q.%s Known are: %s.", severity, suggest(severity, known), strings.Join(known, ", "))))
	}
	return l.duration(given.expr)
}
