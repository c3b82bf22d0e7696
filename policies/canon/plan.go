package canon

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
)

// plan says how values of one type are written and read.
type plan struct {
	shape  shape
	elem   *plan // of a list, a map or a pointer
	fields []field
	byName map[string]int
}

type field struct {
	at        int // in the struct
	head      string
	omitEmpty bool
	plan      *plan
}

type shape byte

const (
	other shape = iota // encoding/json has to do it
	text
	boolean
	whole
	rawText
	list
	dictionary
	pointer
	object
)

// maxFields is how many fields of a struct are told apart while it is read.
const maxFields = 64

var plans sync.Map // of reflect.Type to *plan; a plan depends on nothing but its type

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := newPlan(t, map[reflect.Type]bool{})
	plans.Store(t, p)
	return p
}

var (
	marshaler       = reflect.TypeFor[json.Marshaler]()
	unmarshaler     = reflect.TypeFor[json.Unmarshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// speaks tells whether a type writes or reads itself.
func speaks(t reflect.Type) bool {
	for _, one := range []reflect.Type{t, reflect.PointerTo(t)} {
		if one.Implements(marshaler) || one.Implements(unmarshaler) || one.Implements(textMarshaler) || one.Implements(textUnmarshaler) {
			return true
		}
	}
	return false
}

// newPlan plans a type. A type within itself is left to encoding/json.
func newPlan(t reflect.Type, within map[reflect.Type]bool) *plan {
	if t == reflect.TypeFor[json.RawMessage]() {
		return &plan{shape: rawText}
	}
	if within[t] || speaks(t) {
		return &plan{}
	}
	within[t] = true
	defer delete(within, t)
	switch t.Kind() {
	case reflect.String:
		return &plan{shape: text}
	case reflect.Bool:
		return &plan{shape: boolean}
	case reflect.Int, reflect.Int64:
		return &plan{shape: whole}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return &plan{}
		}
		return &plan{shape: list, elem: newPlan(t.Elem(), within)}
	case reflect.Map:
		if t.Key() != reflect.TypeFor[string]() {
			return &plan{}
		}
		return &plan{shape: dictionary, elem: newPlan(t.Elem(), within)}
	case reflect.Pointer:
		return &plan{shape: pointer, elem: newPlan(t.Elem(), within)}
	case reflect.Struct:
		return newObject(t, within)
	}
	return &plan{}
}

func newObject(t reflect.Type, within map[reflect.Type]bool) *plan {
	p := &plan{shape: object, byName: map[string]int{}}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() && !f.Anonymous || name == "-" && options == "" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		_, twice := p.byName[name]
		if f.Anonymous || twice || options != "" && options != "omitempty" || !plainName(name) || len(p.fields) == maxFields {
			return &plan{}
		}
		p.byName[name] = len(p.fields)
		p.fields = append(p.fields, field{at: i, head: `"` + name + `":`, omitEmpty: options == "omitempty", plan: newPlan(f.Type, within)})
	}
	return p
}

func plainName(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return !(r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
	})
}
