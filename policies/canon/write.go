package canon

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"
)

// append writes a value; false means that encoding/json has to write it all.
func (p *plan) append(dst []byte, v reflect.Value) ([]byte, bool) {
	switch p.shape {
	case text:
		return appendText(dst, v.String())
	case boolean:
		return strconv.AppendBool(dst, v.Bool()), true
	case whole:
		return strconv.AppendInt(dst, v.Int(), 10), true
	case rawText:
		return appendRaw(dst, v.Bytes())
	case list:
		return p.appendList(dst, v)
	case dictionary:
		return p.appendMap(dst, v)
	case pointer:
		if v.IsNil() {
			return append(dst, "null"...), true
		}
		return p.elem.append(dst, v.Elem())
	case object:
		return p.appendObject(dst, v)
	}
	if v.CanAddr() { // so that a method of the pointer counts
		v = v.Addr()
	}
	raw, err := json.Marshal(v.Interface())
	return append(dst, raw...), err == nil
}

func (p *plan) appendList(dst []byte, v reflect.Value) (out []byte, ok bool) {
	if v.IsNil() {
		return append(dst, "null"...), true
	}
	dst = append(dst, '[')
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, ok = p.elem.append(dst, v.Index(i)); !ok {
			return dst, false
		}
	}
	return append(dst, ']'), true
}

// appendMap writes the keys in the order of their bytes, as encoding/json does.
func (p *plan) appendMap(dst []byte, v reflect.Value) (out []byte, ok bool) {
	if v.IsNil() {
		return append(dst, "null"...), true
	}
	type pair struct {
		key   string
		value reflect.Value
	}
	pairs := make([]pair, 0, v.Len())
	for it := v.MapRange(); it.Next(); {
		pairs = append(pairs, pair{it.Key().String(), it.Value()})
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if a.key < b.key {
			return -1
		}
		return 1
	})
	dst = append(dst, '{')
	for i, one := range pairs {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, ok = appendText(dst, one.key); !ok {
			return dst, false
		}
		dst = append(dst, ':')
		if dst, ok = p.elem.append(dst, one.value); !ok {
			return dst, false
		}
	}
	return append(dst, '}'), true
}

func (p *plan) appendObject(dst []byte, v reflect.Value) (out []byte, ok bool) {
	dst = append(dst, '{')
	first := true
	for i := range p.fields {
		f := &p.fields[i]
		value := v.Field(f.at)
		if f.omitEmpty && empty(value) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, f.head...)
		if dst, ok = f.plan.append(dst, value); !ok {
			return dst, false
		}
	}
	return append(dst, '}'), true
}

// empty is what omitempty leaves out.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Struct:
		return false
	case reflect.Slice, reflect.Map, reflect.Array:
		return v.Len() == 0
	}
	return v.IsZero()
}

// appendText writes a string. What takes more than the commonest escapes is not for the quick way.
func appendText(dst []byte, s string) ([]byte, bool) {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		if i = plainUntil(s, i); i == len(s) {
			break
		}
		b := s[i]
		if b >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError || r == '\u2028' || r == '\u2029' {
				return dst, false
			}
			i += size
			continue
		}
		short := shortEscape(b)
		if short == 0 {
			return dst, false
		}
		dst = append(dst, s[start:i]...)
		dst = append(dst, '\\', short)
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"'), true
}

func shortEscape(b byte) byte {
	switch b {
	case '"', '\\':
		return b
	case '\n':
		return 'n'
	case '\t':
		return 't'
	case '\r':
		return 'r'
	}
	return 0
}

// appendRaw takes JSON over that is in the right form already.
func appendRaw(dst, raw []byte) ([]byte, bool) {
	if raw == nil {
		return append(dst, "null"...), true
	}
	c := &cursor{raw: raw}
	if !c.skip(0) || c.at != len(raw) {
		return dst, false
	}
	return append(dst, raw...), true
}
