package lang

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"plumb/policies"
)

// tracer follows the values of one host back to where they are written.
type tracer struct {
	*run
	secret map[string]bool    // var.x and local.x that go into sensitive attributes anywhere
	each   map[*resource]bool // those whose each goes into a sensitive attribute
	told   map[string]bool    // names that were taken apart in this value
	nodes  int
	from   *resource // that is explained, and the names that only it has
	now    *names
}

const (
	// maxTold bounds how many names are taken apart in one explanation.
	maxTold = 1000
	// maxShownValue is the largest JSON of a value on the way that is shown as it is, in bytes.
	maxShownValue = 2 << 10
	// maxShownText is how much of an expression is shown, in characters.
	maxShownText = 240
)

func newTracer(r *run) *tracer {
	t := &tracer{run: r, secret: map[string]bool{}, each: map[*resource]bool{}, told: map[string]bool{}}
	for _, name := range sortedKeys(r.cfg.policies) {
		for _, one := range r.cfg.policies[name].resources {
			t.taint(one)
		}
	}
	return t
}

// taint notes what goes into attributes that their kind, or the resource, calls sensitive. Such
// a value is not marked where it stands, so an explanation of something else could show it.
func (t *tracer) taint(one *resource) {
	for _, attr := range one.attrs {
		if !one.own[attr.name].Secret && one.meta["sensitive"] == nil {
			continue
		}
		for _, v := range attr.expr.Variables() {
			if root := v.RootName(); root == "each" || root == "count" {
				t.each[one] = true
			}
		}
		t.spread(attr.expr)
	}
	for _, name := range []string{"for_each", "count"} {
		if e := one.meta[name]; e != nil && t.each[one] {
			t.spread(e)
		}
	}
}

// spread taints the names that an expression reads, and those that these are made of.
func (t *tracer) spread(e hclsyntax.Expression) {
	for _, v := range e.Variables() {
		full := member(v)
		if full == "" || t.secret[full] || v.RootName() == "group" {
			continue
		}
		t.secret[full] = true
		_, name, _ := strings.Cut(full, ".")
		if one := t.cfg.locals[name]; one != nil && v.RootName() == "local" {
			t.spread(one.expr)
		}
		if v.RootName() == "var" {
			for _, g := range t.allGivers(name) {
				t.spread(g)
			}
		}
	}
}

// member is var.x, local.x or group.x of a traversal, empty for others.
func member(v hcl.Traversal) string {
	switch v.RootName() {
	case "var", "local", "group":
	default:
		return ""
	}
	if len(v) < 2 {
		return ""
	}
	attr, ok := v[1].(hcl.TraverseAttr)
	if !ok {
		return ""
	}
	return v.RootName() + "." + attr.Name
}

// fresh begins another value, in which each name is taken apart once.
func (t *tracer) fresh() { t.told = map[string]bool{} }

// expression tells where an expression is written and what it reads; its value is up to the caller.
func (t *tracer) expression(name, from string, e hclsyntax.Expression, extra *names) policies.Explained {
	one := policies.Explained{Name: name, From: from, At: placeOf(e.Range()), Text: t.cfg.written(e.Range()), Reads: t.reads(e, extra)}
	if madeOfSecrets(one) {
		one.Text = "" // it may hold the secret to compare it with
	}
	return one
}

// reads are the values that an expression names, each once, and the files that it takes in.
func (t *tracer) reads(e hclsyntax.Expression, extra *names) []policies.Explained {
	before := len(t.diags)
	ctx, _ := t.context(e, extra)
	var list []policies.Explained
	seen := map[string]bool{}
	for _, v := range e.Variables() {
		name := traversalText(v)
		if v.RootName() == budgetName || seen[name] {
			continue
		}
		seen[name] = true
		list = append(list, t.read(v, ctx))
	}
	list = append(list, t.filesOf(e, ctx)...)
	t.diags = t.diags[:before] // what is wrong was told when the host was compiled
	return list
}

// read tells of one name in an expression.
func (t *tracer) read(v hcl.Traversal, ctx *hcl.EvalContext) policies.Explained {
	one := policies.Explained{Name: traversalText(v)}
	value, diags := v.TraverseAbs(ctx)
	if one.Missing = diags.HasErrors(); !one.Missing {
		t.value(&one, value)
	}
	if t.nodes++; t.nodes > maxTold {
		one.From, one.Again = "more is not told", true
		return one
	}
	t.origin(&one, v)
	if one.Sensitive {
		return hide(one)
	}
	return one
}

// origin says who gives the value of a name.
func (t *tracer) origin(one *policies.Explained, v hcl.Traversal) {
	switch v.RootName() {
	case "fact":
		one.From = "fact of the host"
	case "host":
		t.hostRead(one, v)
	case "path":
		one.From = "folder in the repository"
	case "each", "count":
		t.eachRead(one, v)
	default:
		t.memberRead(one, v)
	}
}

// value puts a value into its JSON, or into words where it is secret, unknown or large.
func (t *tracer) value(one *policies.Explained, v cty.Value) {
	if v.ContainsMarked() {
		*one = hide(*one)
		return
	}
	if !v.IsWhollyKnown() {
		one.Words = "not known"
		return
	}
	raw, err := ctyjson.Marshal(v, v.Type())
	if err != nil || len(raw) > maxShownValue {
		one.Words = valueText(v)
		return
	}
	one.Value = raw
}

// hide takes out what could tell a secret, and leaves names and places.
func hide(e policies.Explained) policies.Explained {
	e.Sensitive, e.Value, e.Words, e.Text = true, nil, "", ""
	for _, list := range []*[]policies.Explained{&e.Reads, &e.Others} {
		hidden := slices.Clone(*list)
		for i := range hidden {
			hidden[i] = hide(hidden[i])
		}
		*list = hidden
	}
	return e
}

func (t *tracer) hostRead(one *policies.Explained, v hcl.Traversal) {
	one.From = "name of the host"
	if len(v) > 1 {
		if name, _ := stepName(v[1]); name == "id" {
			one.From = "key of the host"
		} else if name == "labels" {
			one.From = "label of its enrolment"
		}
	}
	if len(v) < 3 || t.block == nil || !strings.HasPrefix(one.Name, "host.labels") {
		return
	}
	if name, _ := stepName(v[2]); name != "" {
		if _, own := t.block.labels[name]; own {
			one.From, one.At = "label of the host block "+t.block.name, placeOf(t.block.at)
		}
	}
}

// eachRead leads to the part of for_each that the instance was made from.
func (t *tracer) eachRead(one *policies.Explained, v hcl.Traversal) {
	one.From = "for_each of the resource"
	if v.RootName() == "count" {
		one.From = "count of the resource"
	}
	if t.from == nil {
		return
	}
	e := t.from.meta["for_each"]
	if e == nil {
		e = t.from.meta["count"]
	}
	if e == nil {
		return
	}
	one.At = placeOf(e.Range())
	if key := t.keyOf(v); key != "" {
		exact := subexpr(e, append([]string{key}, stepNames(v, 2)...))
		one.At, one.Text, one.Reads = placeOf(exact.Range()), t.cfg.written(exact.Range()), t.reads(exact, nil)
	}
	if t.each[t.from] || madeOfSecrets(*one) {
		*one = hide(*one)
	}
}

// stepNames are the names of a traversal from a step on, as far as it has names.
func stepNames(v hcl.Traversal, from int) []string {
	var list []string
	for _, step := range v[min(from, len(v)):] {
		name, _ := stepName(step)
		if name == "" {
			return list
		}
		list = append(list, name)
	}
	return list
}

// subexpr follows names into an object that is written out, as far as that goes.
func subexpr(e hclsyntax.Expression, steps []string) hclsyntax.Expression {
	for _, name := range steps {
		object, ok := e.(*hclsyntax.ObjectConsExpr)
		if !ok {
			return e
		}
		i := slices.IndexFunc(object.Items, func(item hclsyntax.ObjectConsItem) bool {
			key, diags := item.KeyExpr.Value(nil)
			return !diags.HasErrors() && !key.IsMarked() && key.Type() == cty.String && key.IsKnown() && !key.IsNull() && key.AsString() == name
		})
		if i < 0 {
			return e
		}
		e = object.Items[i].ValueExpr
	}
	return e
}

// written is the text of a place on one line, cut where it is long. Where somebody writes
// sensitive(…), a secret may stand in the text.
func (c *Config) written(at hcl.Range) string {
	src := c.tree[at.Filename]
	if at.Start.Byte < 0 || at.End.Byte > len(src) || at.Start.Byte >= at.End.Byte {
		return ""
	}
	s := string(src[at.Start.Byte:at.End.Byte])
	if strings.Contains(s, "sensitive") {
		return ""
	}
	if strings.Contains(s, "\n") {
		s = strings.Join(strings.Fields(s), " ")
	}
	if runes := []rune(s); len(runes) > maxShownText {
		s = string(runes[:maxShownText]) + " …"
	}
	return strings.ToValidUTF8(s, "")
}

// filesOf are the files of the repository that functions in the expression take in, as far as
// their names can be told without what a for is at.
func (t *tracer) filesOf(e hclsyntax.Expression, ctx *hcl.EvalContext) []policies.Explained {
	var list []policies.Explained
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		call, ok := n.(*hclsyntax.FunctionCallExpr)
		if !ok || len(call.Args) == 0 || !strings.HasPrefix(strings.TrimPrefix(call.Name, "template"), "file") {
			return nil
		}
		v, diags := call.Args[0].Value(ctx)
		v, _ = v.Unmark()
		if diags.HasErrors() || v.Type() != cty.String || !v.IsKnown() || v.IsNull() {
			return nil
		}
		if name, err := t.cfg.inTree(v.AsString()); err == nil {
			list = append(list, policies.Explained{Name: call.Name, Words: fmt.Sprintf("file of %d bytes", len(t.cfg.tree[name])),
				From: "file of the repository", At: &policies.Place{File: name, Line: 1, Column: 1}})
		}
		return nil
	})
	return list
}
