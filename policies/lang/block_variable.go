package lang

import (
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

func readVariable(l *loader, block *hcl.Block) {
	v := &variable{name: l.label(block), at: block.DefRange, wants: cty.DynamicPseudoType, nullable: true}
	if first := l.cfg.variables[v.name]; first != nil {
		l.report(duplicate("variable", v.name, block.DefRange, first.at))
		return
	}
	l.cfg.variables[v.name] = v
	content := l.content(block.Body, []string{"type", "default", "description", "sensitive", "nullable"}, hcl.BlockHeaderSchema{Type: "validation"})
	if attr := content.Attributes["type"]; attr != nil {
		l.variableType(v, attr.Expr)
	}
	exprs := expressions(content)
	v.sensitive = l.flag(exprs["sensitive"], false)
	v.nullable = l.flag(exprs["nullable"], true)
	if e := exprs["default"]; e != nil {
		l.fallback(v, e)
	}
	for _, one := range content.Blocks {
		l.validation(v, one)
	}
}

func (l *loader) variableType(v *variable, e hcl.Expression) {
	t, defaults, diags := typeexpr.TypeConstraintWithDefaults(e)
	l.report(diags...)
	if diags.HasErrors() {
		return
	}
	v.wants = t
	if defaults != nil {
		v.defaults = defaults.Apply
	}
}

// flag reads true or false, written out.
func (l *loader) flag(e hclsyntax.Expression, otherwise bool) bool {
	if e == nil {
		return otherwise
	}
	v, diags := e.Value(nil)
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type() != cty.Bool {
		l.report(failure(e.Range(), "Constant wanted", "Only true or false can stand here, because it is read before anything is evaluated."))
		return otherwise
	}
	return v.True()
}

func (l *loader) fallback(v *variable, e hclsyntax.Expression) {
	for _, t := range e.Variables() {
		unknown := cty.UnknownVal(v.wants.WithoutOptionalAttributesDeep())
		v.fallback = &unknown
		l.report(failure(t.SourceRange(), "Constant wanted", "A default cannot refer to anything. Use a locals block for a value that is derived from others."))
		return
	}
	s := newScope(l.cfg, Input{}, true)
	v.fallbackAt = e.Range()
	value := s.eval(e, nil)
	l.report(s.diags...)
	value, problem := v.convert(value)
	if problem != "" {
		l.report(failure(e.Range(), "Wrong type of value", fmt.Sprintf("The default of variable %q does not fit its type: %s.", v.name, problem)))
		value = cty.UnknownVal(v.wants)
	}
	v.fallback = &value
}

// convert makes a value one of the variable's type, or says in words why it cannot.
func (v *variable) convert(value cty.Value) (cty.Value, string) {
	if v.defaults != nil && !value.IsNull() && value.IsKnown() {
		value = v.defaults(value)
	}
	done, err := convert.Convert(value, v.wants)
	if err != nil {
		return cty.DynamicVal, typeTrouble(err)
	}
	if done.IsNull() && !v.nullable {
		return cty.DynamicVal, "null is not allowed"
	}
	if v.sensitive {
		done = done.Mark(secret{})
	}
	return done, ""
}

func typeTrouble(err error) string {
	var at cty.PathError
	if errors.As(err, &at) && len(at.Path) > 0 {
		return fmt.Sprintf("%s at %s", err, pathText(at.Path))
	}
	return err.Error()
}

func pathText(path cty.Path) string {
	steps := []string{}
	for _, step := range path {
		switch one := step.(type) {
		case cty.GetAttrStep:
			steps = append(steps, one.Name)
		case cty.IndexStep:
			steps = append(steps, text(toText(one.Key)))
		}
	}
	return joinPath(steps)
}

func (l *loader) validation(v *variable, block *hcl.Block) {
	content := l.content(block.Body, []string{"condition", "error_message"})
	exprs := expressions(content)
	one := validation{condition: exprs["condition"], message: exprs["error_message"], at: block.DefRange}
	if one.condition == nil || one.message == nil {
		l.report(failure(block.DefRange, "Incomplete validation", "A validation has a condition and an error_message. The message says in sentences what a good value is."))
		return
	}
	v.validations = append(v.validations, one)
}

// variable works out the value for this host: default, then values, then the groups of the
// highest priority, then the host; the last one that says something wins.
func (s *scope) variable(v *variable) cty.Value {
	if s.static {
		s.staticVariable(v)
		return s.known["var."+v.name]
	}
	value, at := s.given(v)
	if value == cty.NilVal {
		s.report(failure(v.at, "Variable without a value", fmt.Sprintf("The variable %q has no default, and nothing gives it a value for this host. "+
			"Add default = … to it, or values { %s = … }.", v.name, v.name)))
		return cty.DynamicVal
	}
	s.known["var."+v.name] = value
	s.validate(v, at)
	return value
}

// staticVariable checks the type of each expression that gives the variable a value.
func (s *scope) staticVariable(v *variable) {
	unknown := cty.UnknownVal(v.wants.WithoutOptionalAttributesDeep())
	if v.sensitive {
		unknown = unknown.Mark(secret{})
	}
	s.known["var."+v.name] = unknown
	if v.fallback != nil {
		s.known["var."+v.name] = *v.fallback
		s.validate(v, v.at)
		s.known["var."+v.name] = unknown
	} else {
		s.validate(v, v.at)
	}
}

// given returns the value and where it comes from, or NilVal.
func (s *scope) given(v *variable) (cty.Value, hcl.Range) {
	if s.block != nil && s.block.vars[v.name] != nil {
		return s.assign(v, s.block.vars[v.name])
	}
	if value, at := s.fromGroups(v); value != cty.NilVal {
		return value, at
	}
	if one := s.cfg.values[v.name]; one != nil {
		return s.assign(v, one)
	}
	if v.fallback != nil {
		return *v.fallback, v.at
	}
	return cty.NilVal, v.at
}

func (s *scope) assign(v *variable, one *named) (cty.Value, hcl.Range) {
	value, problem := v.convert(s.eval(one.expr, nil))
	if problem != "" {
		s.report(failure(one.expr.Range(), "Wrong type of value", fmt.Sprintf("This value does not fit the variable %q, which is declared at %s:%d: %s.",
			v.name, v.at.Filename, v.at.Start.Line, problem)))
	}
	return value, one.expr.Range()
}

func (s *scope) fromGroups(v *variable) (cty.Value, hcl.Range) {
	var best *group
	value, at := cty.NilVal, v.at
	for _, name := range sortedKeys(s.cfg.groups) {
		g := s.cfg.groups[name]
		if g.vars[v.name] == nil || !s.member1(g) || (best != nil && g.priority < best.priority) {
			continue
		}
		next, nextAt := s.assign(v, g.vars[v.name])
		if best != nil && g.priority == best.priority && !next.RawEquals(value) {
			s.report(failure(nextAt, "Groups disagree", fmt.Sprintf("The host %s is in the groups %q and %q. Both give the variable %q another value, and both have priority %d. "+
				"Raise the priority of the one that shall win; the other one stands at %s:%d.", s.in.Host.Name, best.name, g.name, v.name, g.priority, at.Filename, at.Start.Line)))
			continue
		}
		best, value, at = g, next, nextAt
	}
	return value, at
}

func (s *scope) validate(v *variable, at hcl.Range) {
	for _, one := range v.validations {
		ok := s.eval(one.condition, nil)
		yes, known := s.truth(ok, one.condition, "A validation's condition")
		if !known || yes {
			continue
		}
		message := s.eval(one.message, nil)
		plain, _ := message.Unmark()
		detail := text(plain)
		if message.IsMarked() || detail == "" {
			detail = "The value does not meet the validation of the variable."
		}
		s.report(failure(at, "Invalid value for variable", fmt.Sprintf("%s This was checked by the validation at %s:%d.", detail, one.at.Filename, one.at.Start.Line)))
	}
}
