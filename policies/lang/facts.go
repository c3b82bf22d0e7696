package lang

import (
	"maps"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"plumb/inventory"
)

// factValue turns the facts into a value. A fact that the host lacks is not there, so
// reading it is an error and never a silent null.
func factValue(tree map[string]any) cty.Value {
	top := map[string]cty.Value{}
	for name, one := range tree {
		if v := jsonValue(one); !v.IsNull() {
			top[name] = v
		}
	}
	for _, name := range []string{"packages", "interfaces", "mounts"} {
		if v, ok := top[name]; ok {
			top[name] = asMap(v)
		}
	}
	return cty.ObjectVal(top)
}

// asMap makes an object with names that nobody can know beforehand a map.
func asMap(v cty.Value) cty.Value {
	if v.Type().IsObjectType() && v.LengthInt() == 0 {
		return cty.MapValEmpty(cty.String)
	}
	if m, ok := evenMap(v); ok {
		return m
	}
	if m, err := convert.Convert(v, cty.Map(cty.DynamicPseudoType)); err == nil {
		return m
	}
	return v
}

// evenMap makes an object of values of one type a map, for which nothing has to be converted: a host
// has a thousand packages.
func evenMap(v cty.Value) (cty.Value, bool) {
	if !v.Type().IsObjectType() {
		return v, false
	}
	all := v.AsValueMap()
	var one cty.Type
	for _, element := range all {
		if one == cty.NilType {
			one = element.Type()
		}
		if !element.Type().Equals(one) {
			return v, false
		}
	}
	return cty.MapVal(all), true
}

func jsonValue(v any) cty.Value {
	switch v := v.(type) {
	case string:
		return cty.StringVal(v)
	case bool:
		return cty.BoolVal(v)
	case float64:
		return cty.NumberFloatVal(v)
	case int:
		return cty.NumberIntVal(int64(v))
	case int64:
		return cty.NumberIntVal(v)
	case []any:
		list := make([]cty.Value, len(v))
		for i, one := range v {
			list[i] = jsonValue(one)
		}
		return sameList(list)
	case []string:
		list := make([]cty.Value, len(v))
		for i, one := range v {
			list[i] = cty.StringVal(one)
		}
		return sameList(list)
	case map[string]string:
		object := map[string]cty.Value{}
		for key, one := range v {
			object[key] = cty.StringVal(one)
		}
		return cty.ObjectVal(object)
	case map[string]any:
		object := map[string]cty.Value{}
		for key, one := range v {
			if value := jsonValue(one); !value.IsNull() {
				object[key] = value
			}
		}
		return cty.ObjectVal(object)
	default:
		return cty.NullVal(cty.DynamicPseudoType)
	}
}

func sameList(list []cty.Value) cty.Value {
	if len(list) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	for _, one := range list {
		if !one.Type().Equals(list[0].Type()) {
			return cty.TupleVal(list)
		}
	}
	return cty.ListVal(list)
}

// unknownFacts has the type of inventory.Facts, so that a misspelled fact is found without a host.
func unknownFacts() cty.Value {
	return unknownStruct(reflect.TypeFor[inventory.Facts]())
}

func unknownStruct(t reflect.Type) cty.Value {
	fields := map[string]cty.Value{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "-" && name != "" {
			fields[name] = unknownField(f.Type)
		}
	}
	return cty.ObjectVal(fields)
}

func unknownField(t reflect.Type) cty.Value {
	switch t.Kind() {
	case reflect.Struct:
		return unknownStruct(t)
	case reflect.Interface:
		return cty.DynamicVal
	case reflect.Map:
		if t.Elem().Kind() == reflect.Interface {
			return cty.DynamicVal
		}
		return cty.UnknownVal(cty.Map(unknownField(t.Elem()).Type()))
	case reflect.Slice:
		return cty.UnknownVal(cty.List(unknownField(t.Elem()).Type()))
	case reflect.String:
		return cty.UnknownVal(cty.String)
	case reflect.Bool:
		return cty.UnknownVal(cty.Bool)
	default:
		return cty.UnknownVal(cty.Number)
	}
}

func unknownHost() cty.Value {
	return cty.ObjectVal(map[string]cty.Value{
		"name": cty.UnknownVal(cty.String), "id": cty.UnknownVal(cty.String), "labels": cty.UnknownVal(cty.Map(cty.String)),
	})
}

// hostValue adds the labels of the host's block to those of its enrolment; the block wins,
// because authors sign it.
func hostValue(h inventory.Host, block *host) cty.Value {
	all := map[string]cty.Value{}
	for key, value := range labelsOf(h, block) {
		all[key] = cty.StringVal(value)
	}
	labels := cty.MapValEmpty(cty.String)
	if len(all) > 0 {
		labels = cty.MapVal(all)
	}
	return cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal(h.Name), "id": cty.StringVal(string(h.ID)), "labels": labels})
}

func labelsOf(h inventory.Host, block *host) map[string]string {
	all := map[string]string{}
	maps.Copy(all, h.Labels)
	if block != nil {
		maps.Copy(all, block.labels)
	}
	return all
}

// pathValue is path.module, the folder of the file, and path.root.
func pathValue(file string) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(path.Dir(file)), "root": cty.StringVal(".")})
}

func toText(v cty.Value) cty.Value {
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		return cty.UnknownVal(cty.String)
	}
	return s
}

// joinPath writes the path of a read, such as fact.packages["openssh-server"].
func joinPath(steps []string) string {
	var b strings.Builder
	for i, step := range steps {
		switch {
		case i == 0:
			b.WriteString(step)
		case plainName(step):
			b.WriteString("." + step)
		default:
			b.WriteString("[" + strconv.Quote(step) + "]")
		}
	}
	return b.String()
}

func plainName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	})
}

// splitPath is the inverse of joinPath.
func splitPath(path string) []string {
	steps := []string{}
	for path != "" {
		path = strings.TrimPrefix(path, ".")
		if quoted, err := strconv.QuotedPrefix(strings.TrimPrefix(path, "[")); err == nil && path[0] == '[' {
			step, _ := strconv.Unquote(quoted)
			steps = append(steps, step)
			path = path[len(quoted)+2:]
			continue
		}
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		steps = append(steps, path[:end])
		path = path[end:]
	}
	return steps
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
