package lang

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"plumb/policies"
)

// memberRead tells who gives a variable or local value, or why the host is in a group.
func (t *tracer) memberRead(one *policies.Explained, v hcl.Traversal) {
	full := member(v)
	root, name, _ := strings.Cut(full, ".")
	if !t.cfg.declares(root, name) {
		return
	}
	secret, again := t.told[one.Name]
	if again {
		one.Again, one.From = true, "told before"
	} else {
		t.take(one, root, name, stepNames(v, 2))
		secret = t.secret[full] || root == "var" && t.cfg.variables[name].sensitive || root != "group" && madeOfSecrets(*one)
	}
	if t.told[one.Name] = secret; secret {
		*one = hide(*one)
	}
	if madeOfSecrets(*one) {
		one.Text = ""
	}
}

// madeOfSecrets tells whether something that the value was made of is not shown.
func madeOfSecrets(e policies.Explained) bool {
	return slices.ContainsFunc(e.Reads, func(one policies.Explained) bool { return one.Sensitive })
}

// take takes a name apart.
func (t *tracer) take(one *policies.Explained, root, name string, steps []string) {
	switch root {
	case "var":
		t.variableRead(one, t.cfg.variables[name], steps)
	case "local":
		e := subexpr(t.cfg.locals[name].expr, steps)
		one.From, one.At, one.Text, one.Reads = "local value", placeOf(e.Range()), t.cfg.written(e.Range()), t.reads(e, nil)
	default:
		t.groupRead(one, t.cfg.groups[name])
	}
}

// giver is a place that gives a variable its value.
type giver struct {
	from string
	expr hclsyntax.Expression // nil for a default, which is a constant
	at   hcl.Range
}

// givers lists them for this host, the winner first.
func (t *tracer) givers(v *variable) []giver {
	var list []giver
	if t.block != nil && t.block.vars[v.name] != nil {
		e := t.block.vars[v.name].expr
		list = append(list, giver{"vars of the host block " + t.block.name, e, e.Range()})
	}
	for _, g := range t.giving(v) {
		e := g.vars[v.name].expr
		list = append(list, giver{fmt.Sprintf("vars of group %s, priority %d", g.name, g.priority), e, e.Range()})
	}
	if one := t.cfg.values[v.name]; one != nil {
		list = append(list, giver{"values of the repository", one.expr, one.expr.Range()})
	}
	if v.fallback != nil {
		list = append(list, giver{from: "default of the variable", at: v.fallbackAt})
	}
	return list
}

// giving are the groups of the host that give the variable a value, the one that wins first. Of
// two with the same priority, whose values are the same, the last name is taken.
func (t *tracer) giving(v *variable) []*group {
	var list []*group
	for _, name := range sortedKeys(t.cfg.groups) {
		if g := t.cfg.groups[name]; g.vars[v.name] != nil && t.member1(g) {
			list = append(list, g)
		}
	}
	slices.SortFunc(list, func(a, b *group) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), strings.Compare(b.name, a.name))
	})
	return list
}

// allGivers are the expressions that give a variable its value on any host.
func (t *tracer) allGivers(name string) []hclsyntax.Expression {
	var list []hclsyntax.Expression
	add := func(vars map[string]*named) {
		if vars[name] != nil {
			list = append(list, vars[name].expr)
		}
	}
	add(t.cfg.values)
	for _, g := range t.cfg.groups {
		add(g.vars)
	}
	for _, h := range t.cfg.hosts {
		add(h.vars)
	}
	return list
}

func (t *tracer) variableRead(one *policies.Explained, v *variable, steps []string) {
	for i, g := range t.givers(v) {
		told := t.given1(one.Name, v, g, steps)
		if i > 0 {
			one.Others = append(one.Others, told)
			continue
		}
		one.From, one.At, one.Text, one.Reads = told.From, told.At, told.Text, told.Reads
	}
}

func (t *tracer) given1(name string, v *variable, g giver, steps []string) policies.Explained {
	told := policies.Explained{Name: name, From: g.from, At: placeOf(g.at)}
	if g.expr == nil {
		t.value(&told, *v.fallback)
		return told
	}
	exact := subexpr(g.expr, steps)
	told.At, told.Text, told.Reads = placeOf(exact.Range()), t.cfg.written(exact.Range()), t.reads(exact, nil)
	if value, diags := t.try(g.expr, nil); !diags.HasErrors() {
		if value, problem := v.convert(value); problem == "" {
			t.value(&told, value)
		}
	}
	return told
}

// groupRead tells why the host is a member, or why it is not.
func (t *tracer) groupRead(one *policies.Explained, g *group) {
	one.From, one.At = "group "+g.name, placeOf(g.at)
	if g.match != nil {
		one.At, one.Text, one.Reads = placeOf(g.match.Range()), t.cfg.written(g.match.Range()), t.reads(g.match, nil)
	}
	if g.sample != nil {
		one.From = fmt.Sprintf("group %s, a sample of %g %% by the name of the host", g.name, g.sample.percent)
		for _, e := range []hclsyntax.Expression{g.sample.of, g.sample.per} {
			if e != nil {
				one.Reads = append(one.Reads, t.reads(e, nil)...)
			}
		}
	}
	if g.exclude != nil {
		one.Reads = append(one.Reads, t.reads(g.exclude, nil)...)
	}
}

// keyOf is the key of the instance that is explained, where a traversal reads each.value.
func (t *tracer) keyOf(v hcl.Traversal) string {
	if len(v) < 2 || !t.now.has("each") {
		return ""
	}
	if name, _ := stepName(v[1]); name != "value" {
		return ""
	}
	each := t.now.value
	if !each.Type().IsObjectType() || !each.Type().HasAttribute("key") {
		return ""
	}
	key := each.GetAttr("key")
	if key.IsMarked() || key.Type() != cty.String || !key.IsKnown() || key.IsNull() {
		return ""
	}
	return key.AsString()
}
