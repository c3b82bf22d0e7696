package lang

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func hasPrefix(s, part string) bool { return strings.HasPrefix(s, part) }
func hasSuffix(s, part string) bool { return strings.HasSuffix(s, part) }
func contains(s, part string) bool  { return strings.Contains(s, part) }

func param(name string, t cty.Type) function.Parameter {
	return function.Parameter{Name: name, Type: t}
}

func textTest(test func(s, part string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("text", cty.String), param("part", cty.String)},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(test(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

// slashed returns the regular expression in /…/, which is how replace tells one from plain text.
func slashed(old string) (string, bool) {
	if len(old) > 1 && old[0] == '/' && old[len(old)-1] == '/' {
		return old[1 : len(old)-1], true
	}
	return "", false
}

func replaceFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("text", cty.String), param("old", cty.String), param("new", cty.String)},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if pattern, ok := slashed(args[1].AsString()); ok {
				return stdlib.RegexReplace(args[0], cty.StringVal(pattern), args[2])
			}
			return stdlib.Replace(args[0], args[1], args[2])
		},
	})
}

// toSetFunc takes texts in brackets as the list that they are: cty compares the type of each element
// of a tuple with that of each other.
func toSetFunc() function.Function {
	f := stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType))
	return function.New(&function.Spec{
		Description: f.Description(),
		Params:      f.Params(),
		Type:        func(args []cty.Value) (cty.Type, error) { return f.ReturnTypeForValues([]cty.Value{asTexts(args[0])}) },
		Impl:        func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f.Call([]cty.Value{asTexts(args[0])}) },
	})
}

// asTexts returns a tuple of texts, all of them known, as a list.
func asTexts(v cty.Value) cty.Value {
	if v.IsMarked() || v.IsNull() || !v.IsKnown() || !v.Type().IsTupleType() || v.LengthInt() == 0 {
		return v
	}
	all := v.AsValueSlice()
	for _, one := range all {
		if one.Type() != cty.String || one.IsMarked() || one.IsNull() || !one.IsKnown() {
			return v
		}
	}
	return cty.ListVal(all)
}

func anything(name string) function.Parameter {
	return function.Parameter{Name: name, Type: cty.DynamicPseudoType, AllowDynamicType: true}
}

func lengthFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{anything("value")},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[0].Type() == cty.String {
				return stdlib.Strlen(args[0])
			}
			if args[0].Type().IsObjectType() {
				return cty.NumberIntVal(int64(len(args[0].Type().AttributeTypes()))), nil
			}
			return stdlib.Length(args[0])
		},
	})
}

func indexFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{anything("list"), anything("value")},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			for i, one := range elements(args[0]) {
				if equal := one.Equals(args[1]); equal.IsKnown() && equal.True() {
					return cty.NumberIntVal(int64(i)), nil
				}
			}
			return cty.UnknownVal(cty.Number), errors.New("the list does not have this value")
		},
	})
}

func oneFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{anything("list")},
		Type: func(args []cty.Value) (cty.Type, error) {
			t := args[0].Type()
			if t.IsListType() || t.IsSetType() {
				return t.ElementType(), nil
			}
			if list := elements(args[0]); len(list) == 1 {
				return list[0].Type(), nil
			}
			return cty.DynamicPseudoType, nil
		},
		Impl: func(args []cty.Value, want cty.Type) (cty.Value, error) {
			switch list := elements(args[0]); len(list) {
			case 0:
				return cty.NullVal(want), nil
			case 1:
				return list[0], nil
			}
			return cty.UnknownVal(want), errors.New("the list must have one element or none")
		},
	})
}

func matchKeysFunc() function.Function {
	list := cty.List(cty.DynamicPseudoType)
	return function.New(&function.Spec{
		Params: []function.Parameter{param("values", list), param("keys", list), param("wanted", list)},
		Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, want cty.Type) (cty.Value, error) {
			values, keys, found := elements(args[0]), elements(args[1]), []cty.Value{}
			if len(values) != len(keys) {
				return cty.UnknownVal(want), errors.New("both lists must be of the same length")
			}
			for i, key := range keys {
				if slices.ContainsFunc(elements(args[2]), key.RawEquals) {
					found = append(found, values[i])
				}
			}
			if len(found) == 0 {
				return cty.ListValEmpty(want.ElementType()), nil
			}
			return cty.ListVal(found), nil
		},
	})
}

func sumFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{anything("list")},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			total := cty.Zero
			for _, one := range elements(args[0]) {
				n, err := convert.Convert(one, cty.Number)
				if err != nil || n.IsNull() || !n.IsKnown() {
					return cty.UnknownVal(cty.Number), errors.New("every element must be a number")
				}
				total = total.Add(n)
			}
			return total, nil
		},
	})
}

func transposeFunc() function.Function {
	in := cty.Map(cty.List(cty.String))
	return function.New(&function.Spec{
		Params: []function.Parameter{param("map", in)},
		Type:   function.StaticReturnType(in),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			turned := map[string][]cty.Value{}
			for it := args[0].ElementIterator(); it.Next(); {
				key, list := it.Element()
				for _, one := range elements(list) {
					if one.IsNull() || !one.IsKnown() {
						return cty.UnknownVal(in), errors.New("the lists may not have null in them")
					}
					turned[one.AsString()] = append(turned[one.AsString()], key)
				}
			}
			out := map[string]cty.Value{}
			for key, list := range turned {
				out[key] = cty.ListVal(list)
			}
			if len(out) == 0 {
				return cty.MapValEmpty(cty.List(cty.String)), nil
			}
			return cty.MapVal(out), nil
		},
	})
}

// allFunc is alltrue, which is true for an empty list, and anytrue, which is not.
func allFunc(all bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("list", cty.List(cty.Bool))},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			for _, one := range elements(args[0]) {
				if !one.IsKnown() {
					return cty.UnknownVal(cty.Bool), nil
				}
				if yes := !one.IsNull() && one.True(); yes != all {
					return cty.BoolVal(yes), nil
				}
			}
			return cty.BoolVal(all), nil
		},
	})
}

func typeFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowNull: true, AllowUnknown: true}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[0].Type() == cty.DynamicPseudoType {
				return cty.UnknownVal(cty.String), nil
			}
			return cty.StringVal(typeexpr.TypeString(args[0].Type())), nil
		},
	})
}

// secret marks a value that must not be shown. Whatever is derived from it has the mark too.
type secret struct{}

func markParam() function.Parameter {
	return function.Parameter{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowNull: true, AllowUnknown: true, AllowMarked: true}
}

func sensitiveFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{markParam()},
		Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return args[0].Mark(secret{}), nil
		},
	})
}

func nonsensitiveFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{markParam()},
		Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, _ := args[0].UnmarkDeep()
			return v, nil
		},
	})
}

func issensitiveFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{markParam()},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(args[0].ContainsMarked()), nil
		},
	})
}

// versionMatchesFunc compares by go-version, which is right for "~> 1.2" and wrong for the
// versions of distribution packages: those are ordered by the package manager alone.
func versionMatchesFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("version", cty.String), param("constraint", cty.String)},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := version.NewVersion(args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.Bool), fmt.Errorf("%q is not a version such as 1.2.3", args[0].AsString())
			}
			want, err := version.NewConstraint(args[1].AsString())
			if err != nil {
				return cty.UnknownVal(cty.Bool), fmt.Errorf(`%q is not a constraint such as ">= 1.2, < 2.0"`, args[1].AsString())
			}
			return cty.BoolVal(want.Check(v)), nil
		},
	})
}
