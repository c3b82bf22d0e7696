package lang

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"plumb/inventory"
)

func readHost(l *loader, block *hcl.Block) {
	name := block.Labels[0]
	if err := inventory.CheckName(name); err != nil {
		l.report(failure(block.LabelRanges[0], "Unusable name", sentence(err)))
	}
	content := l.content(block.Body, []string{"labels", "vars"})
	h := &host{name: name, at: block.DefRange, labels: map[string]string{}, vars: l.object(content.Attributes["vars"])}
	for key, one := range l.object(content.Attributes["labels"]) {
		h.labels[key] = l.labelValue(key, one)
	}
	if first := l.cfg.hosts[name]; first != nil {
		l.report(duplicate("host", name, block.DefRange, first.at))
		return
	}
	l.cfg.hosts[name] = h
}

// labelValue wants a constant: labels decide who is in which group, before anything else is known.
func (l *loader) labelValue(key string, one *named) string {
	v, diags := one.expr.Value(nil)
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() || !v.Type().IsPrimitiveType() {
		l.report(failure(one.expr.Range(), "Constant wanted", fmt.Sprintf("The label %q must be text in quotes, because labels are read before anything is evaluated.", key)))
		return ""
	}
	value := text(toText(v))
	if err := inventory.CheckLabel(key, value); err != nil {
		l.report(failure(one.at, "Unusable label", sentence(err)))
	}
	return value
}

func sentence(err error) string {
	s := err.Error()
	return string(s[0]&^0x20) + s[1:] + "."
}

// known reports values for variables that nobody declares, and variables without any value.
func (l *loader) known() {
	if l.unread {
		return
	}
	given := map[string]bool{}
	check := func(vars map[string]*named) {
		for _, name := range sortedKeys(vars) {
			given[name] = true
			if l.cfg.variables[name] == nil {
				l.report(l.cfg.undeclared("var", name, vars[name].at))
			}
		}
	}
	check(l.cfg.values)
	for _, h := range l.cfg.hosts {
		check(h.vars)
	}
	for _, g := range l.cfg.groups {
		check(g.vars)
	}
	for _, name := range sortedKeys(l.cfg.variables) {
		if v := l.cfg.variables[name]; v.fallback == nil && !given[name] {
			l.report(failure(v.at, "Variable without a value", fmt.Sprintf("The variable %q has no default, and neither a values block nor a group or host gives it one. "+
				"Add default = …, or values { %s = … }.", name, name)))
		}
	}
}
