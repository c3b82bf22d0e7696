package lang

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"plumb/inventory"
	"plumb/modules"
	"plumb/policies/canon"
)

// attributes evaluates what the kind itself takes, and lets the kind judge it.
func (r *run) attributes(i *instance) {
	all := r.given
	clear(all)
	r.room = r.room[:0]
	complete, before := !i.from.broken, len(r.diags)
	for _, one := range i.from.attrs {
		a := i.from.own[one.name]
		raw, hidden, known := r.attribute(i, a, one)
		complete = complete && known
		if raw == nil {
			continue
		}
		all[one.name] = raw
		if hidden || a.Secret {
			i.Sensitive = append(i.Sensitive, one.name)
		}
		if a.Tree {
			r.treeDigest(i, a, one, all)
		}
		if _, digest := all[one.name+"_digest"]; digest && slices.Contains(i.Sensitive, one.name) {
			i.Sensitive = append(i.Sensitive, one.name+"_digest") // what is in a file could be tried out
		}
	}
	r.nameByLabel(i, all)
	r.hideAll(i, all)
	if !complete || r.diags[before:].HasErrors() {
		if !r.static && !r.failed() {
			r.report(failure(i.from.at, internalSummary, "A value stayed unknown. This is a mistake of Plumb, please report it with the policy."))
		}
		return
	}
	r.judge(i, all)
}

// nameByLabel lets resource "service" "ssh" go without name = "ssh".
func (r *run) nameByLabel(i *instance, all map[string]json.RawMessage) {
	_, has := i.from.own["name"]
	given := slices.ContainsFunc(i.from.attrs, func(one *named) bool { return one.name == "name" })
	if has && !given {
		all["name"] = json.RawMessage(quote(i.from.name))
	}
}

// hideAll is sensitive = true: every attribute is a secret.
func (r *run) hideAll(i *instance, all map[string]json.RawMessage) {
	e := i.from.meta["sensitive"]
	if e != nil && r.condition(e, i.names, "The argument sensitive") {
		i.Sensitive = sortedKeys(all)
	}
	i.Sensitive = unique(i.Sensitive)
}

// attribute returns the JSON of one attribute, nil when it is null or wrong.
func (r *run) attribute(i *instance, a modules.Attribute, one *named) (raw json.RawMessage, hidden, known bool) {
	before := len(r.diags)
	v := r.eval(one.expr, i.names)
	if r.diags[before:].HasErrors() {
		return nil, false, false
	}
	var marks cty.ValueMarks
	if v.IsMarked() || !v.Type().IsPrimitiveType() {
		v, marks = v.UnmarkDeep()
	}
	v, problem := fit(v, a)
	if problem != "" {
		r.report(failure(one.expr.Range(), "Wrong type of value", problem))
		return nil, false, false
	}
	if !v.IsWhollyKnown() {
		return nil, false, false
	}
	if v.IsNull() {
		if a.Required {
			r.report(failure(one.expr.Range(), "Missing value", fmt.Sprintf("%s must be given, and this expression is null here.", a.Name)))
		}
		return nil, false, true
	}
	start := len(r.room)
	all, err := appendJSON(r.room, v)
	if err != nil {
		r.report(failure(one.expr.Range(), "Wrong type of value", fmt.Sprintf("%s cannot hold this: %s.", a.Name, err)))
		return nil, false, false
	}
	r.room = all
	return json.RawMessage(all[start:len(all):len(all)]), len(marks) > 0, true
}

// appendJSON is ctyjson.Marshal, whose way is long for text.
func appendJSON(dst []byte, v cty.Value) ([]byte, error) {
	if v.Type() == cty.String {
		return canon.Append(dst, v.AsString())
	}
	raw, err := ctyjson.Marshal(v, v.Type())
	return append(dst, raw...), err
}

// fit converts a value to the attribute's type.
func fit(v cty.Value, a modules.Attribute) (cty.Value, string) {
	permissions := a.Name == "mode" || a.Name == "umask" || strings.HasSuffix(a.Name, "_mode")
	if a.Type == "string" && permissions && v.Type() == cty.Number {
		return v, fmt.Sprintf(`%s is octal and must stand in quotes, such as "0644": without them it would be read as a decimal number.`, a.Name)
	}
	wants := typeOf(a.Type)
	if v.Type().Equals(wants) && wants.IsPrimitiveType() {
		return v, ""
	}
	done, err := convert.Convert(v, wants)
	if err == nil {
		return done, ""
	}
	hint := ""
	if strings.HasPrefix(a.Type, "list(") && v.Type().IsPrimitiveType() {
		hint = " Put it into brackets: [ … ]."
	}
	return v, fmt.Sprintf("%s takes %s, and this is %s: %s.%s", a.Name, wantWords(a.Type), v.Type().FriendlyName(), err, hint)
}

func wantWords(t string) string {
	words := map[string]string{"string": "text", "bool": "true or false", "number": "a number", "list(string)": "a list of strings",
		"map(string)": "a map of strings", "list(number)": "a list of numbers"}
	if w := words[t]; w != "" {
		return w
	}
	return t
}

// typeOf reads the type that modules names; any is left as it is written.
func typeOf(t string) cty.Type {
	switch {
	case strings.Contains(t, "any"):
		return cty.DynamicPseudoType
	case strings.HasPrefix(t, "list("):
		return cty.List(typeOf(t[5 : len(t)-1]))
	case strings.HasPrefix(t, "map("):
		return cty.Map(typeOf(t[4 : len(t)-1]))
	case t == "bool":
		return cty.Bool
	case t == "number":
		return cty.Number
	}
	return cty.String
}

// treeDigest checks that a file of the repository is there, and adds its SHA-256.
func (r *run) treeDigest(i *instance, a modules.Attribute, one *named, all map[string]json.RawMessage) {
	var name string
	if err := json.Unmarshal(all[a.Name], &name); err != nil || name == "" {
		return
	}
	clean, err := r.cfg.inTree(name)
	if err != nil && slices.Contains(i.Sensitive, a.Name) {
		err = errors.New("the policy repository has no such file")
	}
	if err != nil {
		r.report(failure(one.expr.Range(), "Missing file", fmt.Sprintf("%s cannot be used: %s.", a.Name, strings.TrimSuffix(err.Error(), "."))))
		return
	}
	all[a.Name] = json.RawMessage(quote(clean))
	if _, ok := i.from.own[a.Name+"_digest"]; ok {
		all[a.Name+"_digest"] = json.RawMessage(quote(inventory.Digest(r.cfg.tree[clean])))
	}
}

// judge decodes the attributes as an agent does, and asks the kind what it makes of them.
func (r *run) judge(i *instance, all map[string]json.RawMessage) {
	raw, err := r.object(all)
	if err != nil {
		r.report(failure(i.from.at, internalSummary, "The attributes cannot be encoded: "+err.Error()+"."))
		return
	}
	i.Attributes = raw
	typed := i.from.kind.New()
	if err := canon.UnmarshalStrict(raw, typed); err != nil {
		r.report(i.undecodable(err))
		return
	}
	i.typed = typed
	for _, m := range typed.Validate() {
		detail := m.Detail
		if slices.Contains(i.Sensitive, m.Attribute) {
			detail = fmt.Sprintf("This is no good value for %s. It is sensitive, so more is not said.", m.Attribute)
		}
		r.report(failure(i.attributeRange(m.Attribute), "Invalid value", detail))
	}
}

// object is the JSON of attributes, as canon writes it. Texts are copied: they are canonical already.
func (r *run) object(all map[string]json.RawMessage) (raw []byte, err error) {
	r.sorted = slices.AppendSeq(r.sorted[:0], maps.Keys(all))
	slices.Sort(r.sorted)
	raw = append(make([]byte, 0, roomForAll(all)), '{')
	for n, name := range r.sorted {
		if n > 0 {
			raw = append(raw, ',')
		}
		raw = append(append(append(raw, '"'), name...), `":`...)
		if one := all[name]; one[0] == '"' {
			raw = append(raw, one...)
		} else if raw, err = canon.Append(raw, one); err != nil {
			return nil, err
		}
	}
	return append(raw, '}'), nil
}

// roomForAll is how long the JSON of attributes is at most, in bytes: their names are plain.
func roomForAll(all map[string]json.RawMessage) int {
	room := len("{}")
	for name, raw := range all {
		room += len(`"":,`) + len(name) + len(raw)
	}
	return room
}

func (i *instance) undecodable(err error) *hcl.Diagnostic {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return failure(i.from.at, "Wrong type of value", fmt.Sprintf("The attributes cannot be read: %s.", strings.TrimPrefix(err.Error(), "json: ")))
	}
	name, _, _ := strings.Cut(wrong.Field, ".")
	if slices.Contains(i.Sensitive, name) {
		wrong.Value = "this"
	}
	return failure(i.attributeRange(name), "Wrong type of value", fmt.Sprintf("%s cannot hold %s: it takes %s.", wrong.Field, wrong.Value, goWords(wrong.Type.String())))
}

func goWords(t string) string {
	switch {
	case strings.Contains(t, "int"):
		return "a whole number"
	case strings.HasPrefix(t, "[]"):
		return "a list"
	case strings.HasPrefix(t, "map"):
		return "a map"
	}
	return t
}

func (i *instance) attributeRange(name string) hcl.Range {
	for _, one := range i.from.attrs {
		if one.name == name {
			return one.expr.Range()
		}
	}
	return i.from.at
}
