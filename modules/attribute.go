package modules

import (
	"reflect"
	"strings"
)

// Attribute describes one field of a kind's struct. Its struct tags are its schema:
//
//	Path    string  `json:"path" plumb:"required" doc:"Absolute path of the file."`
//	Content *string `json:"content,omitempty" plumb:"sensitive" doc:"…"`
//	Source  string  `json:"source,omitempty" plumb:"tree" doc:"…"`
//
// required must be given; secret hides the value always; tree names a file of the policy
// tree, and the language then also sets the attribute NAME_digest to its SHA-256; computed is
// set by the language and refused in a policy.
type Attribute struct {
	// Name is what a policy writes.
	Name string
	// Type is string, bool, number, list(string), map(string), list(number) or any.
	Type string
	// Required, Secret, Tree and Computed are as the tag says.
	Required, Secret, Tree, Computed bool
	// Doc is the sentence of the reference page.
	Doc string
}

// Attributes returns the kind's attributes in the order of its struct.
func (k Kind) Attributes() []Attribute {
	t := reflect.TypeOf(k.New()).Elem()
	var list []Attribute
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() {
			list = append(list, attribute(f))
		}
	}
	return list
}

func attribute(f reflect.StructField) Attribute {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	flags := "," + f.Tag.Get("plumb") + ","
	has := func(word string) bool { return strings.Contains(flags, ","+word+",") }
	return Attribute{
		Name: name, Type: typeName(f.Type), Doc: f.Tag.Get("doc"),
		Required: has("required"), Secret: has("secret"), Tree: has("tree"), Computed: has("computed"),
	}
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Bool:
		return "bool"
	case reflect.String:
		return "string"
	case reflect.Int, reflect.Int64, reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list(" + typeName(t.Elem()) + ")"
	case reflect.Map:
		return "map(" + typeName(t.Elem()) + ")"
	default:
		return "any"
	}
}
