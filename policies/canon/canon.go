// Package canon writes and reads JSON as encoding/json does, several times faster for catalogs.
//
// It knows plain structs, lists and maps, and text without white space, as [Marshal] writes it.
// Whatever else it meets it hands to encoding/json as a whole, so the outcome is the same, byte
// for byte and mistake for mistake; a fuzz test compares the two.
package canon

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// Marshal returns what json.Marshal returns.
func Marshal(v any) ([]byte, error) { return Append(nil, v) }

// Append adds the JSON of v, as json.Marshal writes it, to dst.
func Append(dst []byte, v any) ([]byte, error) {
	value := reflect.ValueOf(v)
	if value.IsValid() {
		if out, ok := planOf(value.Type()).append(dst, value); ok {
			return out, nil
		}
	}
	raw, err := json.Marshal(v)
	return append(dst, raw...), err
}

// Unmarshal does what json.Unmarshal does. A json.RawMessage is a part of raw afterwards and no copy.
func Unmarshal(raw []byte, into any) error {
	if fill(raw, into) {
		return nil
	}
	return json.Unmarshal(raw, into)
}

// UnmarshalStrict is Unmarshal that refuses fields which the struct lacks.
func UnmarshalStrict(raw []byte, into any) error {
	if fill(raw, into) {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

// fill is the quick way. It works on a copy, so that nothing is half filled when it gives up.
func fill(raw []byte, into any) bool {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return false
	}
	target = target.Elem()
	p := planOf(target.Type())
	if p.shape == other {
		return false
	}
	draft := reflect.New(target.Type()).Elem()
	draft.Set(target)
	c := &cursor{raw: raw}
	if !p.fill(c, draft) || c.at != len(raw) {
		return false
	}
	target.Set(draft)
	return true
}
