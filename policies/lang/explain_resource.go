package lang

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"plumb/policies"
)

// Why is what Explain found out.
type Why struct {
	// Explanation is nil where there is nothing to explain; Unknown or Problems say why.
	Explanation *policies.Explanation `json:"explanation,omitempty"`
	// Unknown says in a sentence why nothing is at the address.
	Unknown string `json:"unknown,omitempty"`
	// Problems are the mistakes for which the host does not compile.
	Problems []policies.Problem `json:"problems"`
}

// Explain says where what a host should be comes from. The address is that of a resource, or a
// unique ending of it, and may have the name of an attribute behind it. Sensitive values, and
// what they are made of, are left out.
func (c *Config) Explain(in Input, address string) (why Why) {
	defer func() {
		if r := recover(); r != nil {
			why = Why{Problems: []policies.Problem{internalProblem(r)}}
		}
	}()
	r := newRun(c, in, false)
	groups := r.memberships()
	r.all()
	patches := r.patches(groups, r.terms(groups))
	catalog := policies.Catalog{Resources: r.catalog()}
	if r.failed() {
		return Why{Problems: c.flatten(r.diags, in.Host.Name)}
	}
	catalog.Resources = withPatches(catalog.Resources, patches)
	e, unknown := newTracer(r).at(catalog, address)
	return Why{Explanation: e, Unknown: unknown, Problems: []policies.Problem{}}
}

// at explains what is at an address, which may end with the name of an attribute.
func (t *tracer) at(c policies.Catalog, address string) (*policies.Explanation, string) {
	if e := t.resource(c, address); e != nil {
		return e, ""
	}
	front, name := splitAttribute(address)
	e := t.resource(c, front)
	if e == nil {
		return nil, t.unknownAddress(c, address, front)
	}
	if all := *e; !e.Only(name) {
		return nil, fmt.Sprintf("%s has no attribute %q here.%s", e.Address, name, suggest(name, attributeNames(all)))
	}
	return e, ""
}

// splitAttribute cuts the last name off; a dot within a key is none that parts.
func splitAttribute(address string) (front, name string) {
	i := strings.LastIndex(address, ".")
	if i <= 0 || strings.ContainsAny(address[i:], `]"`) {
		return "", ""
	}
	return address[:i], address[i+1:]
}

func attributeNames(e policies.Explanation) []string {
	names := []string{e.Mode.Name}
	for _, one := range slices.Concat(e.Attributes, e.Settings) {
		names = append(names, one.Name)
	}
	return names
}

// unknownAddress names what is close: instances of the block, or the nearest address.
func (t *tracer) unknownAddress(c policies.Catalog, asked, front string) string {
	var instances, near []string
	for _, one := range c.Resources {
		block, _, _ := strings.Cut(one.Address, "[")
		if block != one.Address && endsWith(block, asked) {
			instances = append(instances, one.Address)
		}
		if endsWith(one.Address, asked) || endsWith(one.Address, front) {
			near = append(near, one.Address)
		}
	}
	switch {
	case len(instances) > 0:
		return fmt.Sprintf("%s stands for several resources: %s.", asked, some(instances))
	case len(near) > 1:
		return fmt.Sprintf("%s may mean several resources: %s.", asked, some(near))
	}
	return fmt.Sprintf("The host %s has no resource %q.%s", t.in.Host.Name, asked, nearAddress(c, asked))
}

func endsWith(address, ending string) bool {
	return ending != "" && (address == ending || strings.HasSuffix(address, "."+ending))
}

func some(list []string) string {
	const most = 5
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}

// nearAddress compares the text with whole addresses and with their endings, without and with
// an attribute behind it.
func nearAddress(c policies.Catalog, asked string) string {
	by := map[string]string{}
	for _, one := range c.Resources {
		address := one.Address
		for strings.Count(address, ".") > 0 {
			by[address] = one.Address
			_, address, _ = strings.Cut(address, ".")
		}
	}
	names := slices.Sorted(maps.Keys(by))
	front, _ := splitAttribute(asked)
	for _, text := range []string{asked, front} {
		if best := nearest(text, names); text != "" && best != "" {
			return fmt.Sprintf(" Did you mean %s?", by[best])
		}
	}
	return ""
}

// resource explains the resource at an address, nil for none.
func (t *tracer) resource(c policies.Catalog, address string) *policies.Explanation {
	asked := ""
	one := c.Find(address)
	if one == nil {
		if lost := t.lost(address); lost != nil {
			asked, one = lost.Address, c.Find(lost.held().Address)
		}
	}
	if one == nil {
		return nil
	}
	e := &policies.Explanation{Address: one.Address, Kind: one.Kind, Check: one.Check, Title: one.Title, Policy: one.Policy, Source: one.Source,
		Asked: asked, NotApplicable: one.NotApplicable, AlsoDeclared: one.AlsoDeclared, Overrides: one.Overrides,
		Conditions: []policies.Explained{}, Settings: []policies.Explained{}, Attributes: []policies.Explained{}}
	if i := t.instanceAt(one.Address); i != nil {
		t.fill(e, i, *one)
		return e
	}
	t.made(e, *one)
	return e
}

// lost returns the declaration at an address in whose place another one stands.
func (t *tracer) lost(address string) *instance {
	for _, i := range t.instances {
		if i.into != nil && endsWith(i.Address, address) {
			return i
		}
	}
	return nil
}

func (t *tracer) instanceAt(address string) *instance {
	for _, i := range t.instances {
		if i.into == nil && i.Address == address {
			return i
		}
	}
	return nil
}

func (t *tracer) fill(e *policies.Explanation, i *instance, one policies.Resource) {
	t.from, t.now = i.from, i.names
	p := i.from.policy
	who := "policy " + p.name
	for _, name := range []string{"applies_to", "when"} {
		if given := p.meta[name]; given != nil {
			e.Conditions = append(e.Conditions, t.condition(name, who, given, nil))
		}
	}
	if given := i.from.meta["when"]; given != nil {
		e.Conditions = append(e.Conditions, t.condition("when", "the resource", given, i.names))
	}
	e.Conditions = append(e.Conditions, t.repeats(i)...)
	e.Mode = t.mode(i, one)
	e.Settings = t.settings(i)
	e.Attributes = t.attributesOf(i, one)
}

// made explains a resource that a rollout makes: no block names its attributes.
func (t *tracer) made(e *policies.Explanation, one policies.Resource) {
	from := "made by rollout " + one.Policy
	at := &policies.Place{File: one.Source.File, Line: one.Source.Line, Column: 1}
	var all map[string]json.RawMessage
	if json.Unmarshal(one.Attributes, &all) != nil {
		return
	}
	e.Mode = policies.Explained{Name: "mode", Value: jsonText(string(one.Mode)), From: "nothing says otherwise"}
	for _, name := range sortedKeys(all) {
		e.Attributes = append(e.Attributes, policies.Explained{Name: name, Value: all[name], From: from, At: at})
	}
}

func (t *tracer) condition(name, who string, e hclsyntax.Expression, extra *names) policies.Explained {
	t.fresh()
	one := t.expression(name, "argument of "+who, e, extra)
	v, diags := t.try(e, extra)
	if !diags.HasErrors() {
		t.value(&one, v)
	}
	return one
}

// repeats tells of the for_each or count that made the instance.
func (t *tracer) repeats(i *instance) []policies.Explained {
	for _, name := range []string{"for_each", "count"} {
		if e := i.from.meta[name]; e != nil {
			t.fresh()
			one := t.expression(name, "argument of the resource", e, nil)
			_, key, _ := strings.Cut(i.Address, i.from.block)
			one.Words = "this one is for " + key
			if t.each[i.from] {
				one = hide(one)
			}
			return []policies.Explained{one}
		}
	}
	return nil
}

// mode tells which of the modes that are written holds.
func (t *tracer) mode(i *instance, one policies.Resource) policies.Explained {
	var list []policies.Explained
	if e := i.from.meta["mode"]; e != nil {
		list = append(list, t.condition("mode", "the resource", e, i.names))
	}
	if e := i.from.policy.meta["mode"]; e != nil {
		list = append(list, t.condition("mode", "policy "+i.from.policy.name, e, nil))
	}
	if len(list) == 0 {
		list = append(list, policies.Explained{Name: "mode", Value: jsonText(string(policies.Enforce)), From: "nothing says otherwise"})
	}
	if one.Mode == policies.Audit && text1(list[0].Value) != string(policies.Audit) {
		list = slices.Insert(list, 0, t.lowered(i, one))
	}
	won := list[0]
	won.Others = list[1:]
	return won
}

// lowered says who made it audit where neither the resource nor its policy does.
func (t *tracer) lowered(i *instance, one policies.Resource) policies.Explained {
	why := policies.Explained{Name: "mode", Value: jsonText(string(one.Mode)), From: "lowered by policy"}
	for _, other := range t.instances {
		if other.into == i && other.merged && other.Mode == policies.Audit {
			why.From = fmt.Sprintf("an equal declaration in policy %s, which only audits", other.Policy)
			why.At = placeOf(other.from.at)
		}
	}
	return why
}

// shownSettings are the meta-arguments that are told besides mode and what decides applicability.
var shownSettings = []string{"title", "severity", "controls", "tags", "rationale", "timeout"}

func (t *tracer) settings(i *instance) []policies.Explained {
	list := []policies.Explained{}
	for _, name := range shownSettings {
		if e := i.from.meta[name]; e != nil {
			list = append(list, t.condition(name, "the resource", e, i.names))
			continue
		}
		if e := i.from.policy.meta[name]; e != nil && name == "severity" {
			list = append(list, t.condition(name, "policy "+i.from.policy.name, e, nil))
		}
	}
	return list
}

// attributesOf takes the values from the catalog itself, so that what is told is what holds.
func (t *tracer) attributesOf(i *instance, one policies.Resource) []policies.Explained {
	list := []policies.Explained{}
	var all map[string]json.RawMessage
	if json.Unmarshal(one.Attributes, &all) != nil {
		return list
	}
	for _, name := range sortedKeys(all) {
		e := t.attributeOf(i, name, one)
		e.Value = all[name]
		if slices.Contains(one.Sensitive, name) {
			e = hide(e)
		}
		list = append(list, e)
	}
	return list
}

func (t *tracer) attributeOf(i *instance, name string, one policies.Resource) policies.Explained {
	for _, given := range i.from.attrs {
		if given.name == name {
			t.fresh()
			return t.expression(name, "argument of the resource", given.expr, i.names)
		}
	}
	if name == "name" {
		return policies.Explained{Name: name, From: "the label of the block", At: placeOf(i.from.at)}
	}
	return policies.Explained{Name: name, From: "worked out by Plumb", At: placeOf(i.from.at)}
}

func placeOf(at hcl.Range) *policies.Place {
	return &policies.Place{File: at.Filename, Line: at.Start.Line, Column: at.Start.Column}
}

func jsonText(s string) json.RawMessage { return json.RawMessage(quote(s)) }

func text1(raw json.RawMessage) (s string) {
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
