package lang

import (
	"fmt"
	"strconv"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// expand makes the instances of a resource: one, or those of for_each or count.
func (r *run) expand(one *resource, now standing) {
	switch {
	case one.meta["for_each"] != nil:
		r.forEach(one, one.meta["for_each"], now)
	case one.meta["count"] != nil:
		r.count(one, one.meta["count"], now)
	default:
		r.instance(one, "", nil, now)
	}
}

func (r *run) forEach(one *resource, e hclsyntax.Expression, now standing) {
	v := r.eval(e, nil)
	if v.IsMarked() || (v.Type().IsSetType() && v.ContainsMarked()) {
		r.report(failure(e.Range(), "Sensitive value not allowed", "The keys of for_each stand in addresses, which everybody sees. Use keys that are not sensitive."))
		return
	}
	t := v.Type()
	if !v.IsKnown() && (t == cty.DynamicPseudoType || t.IsMapType() || t.IsSetType() || t.IsListType()) {
		r.unknownEach(one, v, now)
		return
	}
	if problem := eachTrouble(v); problem != "" {
		r.report(failure(e.Range(), "Unusable for_each", problem))
		return
	}
	var keys, values []cty.Value
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if key.IsNull() || !key.IsKnown() {
			r.unknownEach(one, v, now)
			continue
		}
		keys, values = append(keys, key), append(values, value)
	}
	r.each(one, len(keys), now, func(i int) (string, *names) { return keyText(keys[i]), eachNames(keys[i], values[i]) })
}

func eachNames(key, value cty.Value) *names {
	return &names{"each", cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})}
}

func eachTrouble(v cty.Value) string {
	t := v.Type()
	switch {
	case v.IsNull():
		return "It is null. Give it a map, an object or a set of strings, {} for none at all."
	case t.IsTupleType() || t.IsListType():
		return "A list has no keys, and its positions change when something is added in front. Write toset([…]) for a set of strings, or a map."
	case t.IsSetType() && t.ElementType() != cty.String:
		return fmt.Sprintf("The elements of the set must be strings, because they become keys; these are %s. Use a map.", t.ElementType().FriendlyName())
	case t.IsSetType() || t.IsMapType() || t.IsObjectType():
		return ""
	}
	return fmt.Sprintf("It is %s. Give it a map, an object or a set of strings.", t.FriendlyName())
}

// unknownEach checks the body once when the keys are not known without a host.
func (r *run) unknownEach(one *resource, v cty.Value, now standing) {
	value := cty.DynamicVal
	if t := v.Type(); t.IsMapType() || t.IsSetType() {
		value = cty.UnknownVal(t.ElementType())
	}
	if r.static {
		r.instance(one, "", eachNames(cty.UnknownVal(cty.String), value), now)
	}
}

func (r *run) count(one *resource, e hclsyntax.Expression, now standing) {
	v := r.eval(e, nil)
	if !v.IsKnown() {
		if r.static {
			r.instance(one, "", countNames(cty.UnknownVal(cty.Number)), now)
		}
		return
	}
	r.each(one, r.whole(e, nil, 0, maxResources), now, func(i int) (string, *names) {
		return "[" + strconv.Itoa(i) + "]", countNames(cty.NumberIntVal(int64(i)))
	})
}

func countNames(index cty.Value) *names {
	return &names{"count", cty.ObjectVal(map[string]cty.Value{"index": index})}
}
