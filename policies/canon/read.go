package canon

import (
	"encoding/json"
	"reflect"
)

// fill reads a value; false means that encoding/json has to read it all.
func (p *plan) fill(c *cursor, v reflect.Value) bool {
	switch p.shape {
	case text:
		s, ok := c.text()
		if ok {
			v.SetString(s)
		}
		return ok
	case boolean:
		yes, ok := c.boolean()
		if ok {
			v.SetBool(yes)
		}
		return ok
	case whole:
		n, ok := c.whole()
		if ok {
			v.SetInt(n)
		}
		return ok
	case list:
		return p.fillList(c, v)
	case dictionary:
		return p.fillMap(c, v)
	case pointer:
		return p.fillPointer(c, v)
	case object:
		return p.fillObject(c, v)
	}
	start := c.at
	if !c.skip(0) {
		return false
	}
	if p.shape == rawText {
		v.SetBytes(c.raw[start:c.at:c.at])
		return true
	}
	return json.Unmarshal(c.raw[start:c.at], v.Addr().Interface()) == nil
}

func (p *plan) fillPointer(c *cursor, v reflect.Value) bool {
	if c.word("null") {
		v.SetZero()
		return true
	}
	one := reflect.New(v.Type().Elem()) // not what is there, which somebody else may hold
	if !v.IsNil() {
		one.Elem().Set(v.Elem())
	}
	if !p.elem.fill(c, one.Elem()) {
		return false
	}
	v.Set(one)
	return true
}

func (p *plan) fillList(c *cursor, v reflect.Value) bool {
	if c.word("null") {
		v.SetZero()
		return true
	}
	if v.Len() > 0 || !c.take('[') {
		return false
	}
	if c.words == nil && p.elem.shape == object {
		c.words = map[string]string{}
	}
	all := reflect.New(v.Type()).Elem()
	all.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for first := true; !c.take(']'); first = false {
		if !first && !c.take(',') {
			return false
		}
		n := all.Len()
		if n == all.Cap() {
			all.Grow(max(n/2, c.guess(n)))
		}
		all.SetLen(n + 1)
		if all.Index(n).SetZero(); !p.elem.fill(c, all.Index(n)) {
			return false
		}
	}
	v.Set(all)
	return true
}

func (p *plan) fillMap(c *cursor, v reflect.Value) bool {
	if c.word("null") {
		v.SetZero()
		return true
	}
	if v.Len() > 0 || !c.take('{') {
		return false
	}
	all := reflect.MakeMap(v.Type())
	one := reflect.New(v.Type().Elem()).Elem()
	for first := true; !c.take('}'); first = false {
		if !first && !c.take(',') {
			return false
		}
		key, ok := c.text()
		if !ok || !c.take(':') {
			return false
		}
		if one.SetZero(); !p.elem.fill(c, one) {
			return false
		}
		all.SetMapIndex(reflect.ValueOf(key), one)
	}
	v.Set(all)
	return true
}

// fillObject reads a struct. A field that is not known, or there twice, is not for the quick way.
func (p *plan) fillObject(c *cursor, v reflect.Value) bool {
	if !c.take('{') {
		return false
	}
	seen := uint64(0)
	for first := true; !c.take('}'); first = false {
		if !first && !c.take(',') {
			return false
		}
		key, ok := c.key()
		if !ok || !c.take(':') {
			return false
		}
		n, ok := p.byName[string(key)]
		if !ok || seen&(1<<n) != 0 {
			return false
		}
		seen |= 1 << n
		if f := &p.fields[n]; !f.plan.fill(c, v.Field(f.at)) {
			return false
		}
	}
	return true
}
