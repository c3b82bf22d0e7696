package hostile

import (
	"encoding/json"
	"reflect"
	"time"
)

// filled is the time in all that is filled.
var filled = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// Fill gives each text below v, which is a pointer, another one, each list two items and each map one, down to a depth.
func Fill(v any, next func() string, depth int) { fill(reflect.ValueOf(v).Elem(), next, depth) }

func fill(v reflect.Value, next func() string, depth int) {
	switch v.Kind() {
	case reflect.Struct:
		fillStruct(v, next, depth)
	case reflect.Slice:
		fillSlice(v, next, depth)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, next, depth-1)
		fill(value, next, depth-1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Pointer:
		if depth > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), next, depth-1)
		}
	case reflect.String:
		v.SetString(next())
	case reflect.Int, reflect.Int64, reflect.Uint64:
		v.Set(reflect.ValueOf(7).Convert(v.Type()))
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf(map[string]any{next(): next()}))
		}
	}
}

func fillStruct(v reflect.Value, next func() string, depth int) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(filled))
		return
	}
	for i := range v.NumField() {
		if v.Field(i).CanSet() {
			fill(v.Field(i), next, depth)
		}
	}
}

func fillSlice(v reflect.Value, next func() string, depth int) {
	if v.Type() == reflect.TypeFor[json.RawMessage]() {
		raw, _ := json.Marshal(next() + "\n" + next()) // a text always encodes
		v.SetBytes(raw)
		return
	}
	if depth == 0 {
		return // it may hold itself
	}
	v.Set(reflect.MakeSlice(v.Type(), 2, 2))
	for i := range v.Len() {
		fill(v.Index(i), next, depth-1)
	}
}
