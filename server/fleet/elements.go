package fleet

import (
	"bytes"
	"encoding/json"
	"slices"
	"sync"
	"unicode/utf8"

	"plumb/policies"
	"plumb/policies/canon"
)

// Found is a result as it was decoded. Results share resources: nobody may change one.
type Found struct {
	Catalog   string
	Resources []*policies.ResourceResult
}

func foundOf(r policies.Result) *Found {
	f := &Found{Catalog: r.Catalog, Resources: make([]*policies.ResourceResult, len(r.Resources))}
	for i := range r.Resources {
		f.Resources[i] = &r.Resources[i]
	}
	return f
}

// elements remembers what the JSON of single resources in results means. Most resources of most
// hosts are in order and say so in the same bytes, run after run, so that a changed result has a few
// that were not seen before.
type elements struct {
	mu   sync.RWMutex
	held map[string]*element
	// usual are those of the results of a catalog, in their order; nil where none is known. A list does
	// not change, but gives way to another one.
	usual map[string][]*element
	slots int
}

// element is a resource that was found in order, and the JSON that says so.
type element struct {
	text  string
	value *policies.ResourceResult
}

const (
	// mostElements bounds how many are kept, and how many places of lists, mostElement how long one may be, in bytes.
	mostElements = 50_000
	mostElement  = 256
)

// The frame in which our agents put the resources of a result.
const (
	resultHead = `{"catalog":"`
	resultList = `","resources":[`
	resultTail = `]}`
)

// result decodes a result, after a look over it as by checkText. What does not look like our agents' is
// decoded as a whole.
func (e *elements) result(raw []byte) (*Found, error) {
	if found := e.piecewise(raw); found != nil {
		return found, nil
	}
	if err := checkText(raw); err != nil {
		return nil, err
	}
	var r policies.Result
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, err
	}
	return foundOf(r), nil
}

// piecewise decodes resource by resource, and returns nil for what it cannot make out.
func (e *elements) piecewise(raw []byte) *Found {
	from := len(resultHead) + 64 + len(resultList)
	if len(raw) < from || !bytes.HasPrefix(raw, []byte(resultHead)) || string(raw[from-len(resultList):from]) != resultList {
		return nil
	}
	catalog := string(raw[len(resultHead) : from-len(resultList)])
	if !digestForm.MatchString(catalog) {
		return nil
	}
	usual, fresh := e.usualOf(catalog), []placed(nil)
	found := &Found{Catalog: catalog, Resources: make([]*policies.ResourceResult, 0, len(usual))}
	for rest := raw[from:]; ; rest = rest[1:] {
		n := len(found.Resources)
		var one *element
		if n < len(usual) && usual[n] != nil && len(rest) > len(usual[n].text) && string(rest[:len(usual[n].text)]) == usual[n].text {
			one, rest = usual[n], rest[len(usual[n].text):]
		} else if one, rest = e.next(rest); one == nil {
			return nil
		} else if one.text != "" && (n >= len(usual) || usual[n] == nil) {
			fresh = append(fresh, placed{n, one})
		}
		found.Resources = append(found.Resources, one.value)
		if string(rest) == resultTail {
			e.learn(catalog, fresh)
			return found
		}
		if len(rest) == 0 || rest[0] != ',' {
			return nil
		}
	}
}

func (e *elements) usualOf(catalog string) []*element {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.usual[catalog]
}

// next decodes the resource with which the JSON begins, nil when there is none that is as it should be. It
// has no text when it is not one to be remembered.
func (e *elements) next(raw []byte) (one *element, rest []byte) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, raw
	}
	end, err := scan(raw, elementDepth, elementDepth)
	if err != nil || !utf8.Valid(raw[:end]) {
		return nil, raw
	}
	raw, rest = raw[:end], raw[end:]
	e.mu.RLock()
	one = e.held[string(raw)]
	e.mu.RUnlock()
	if one != nil {
		return one, rest
	}
	one = &element{value: &policies.ResourceResult{}}
	if err := canon.Unmarshal(raw, one.value); err != nil {
		return nil, raw
	}
	if len(raw) <= mostElement && one.value.Status == policies.Compliant {
		one.text = string(raw)
	}
	return one, rest
}

// placed is a resource to be remembered at its place, counted from 0.
type placed struct {
	place int
	*element
}

// learn remembers resources of results of a catalog, the last one last.
func (e *elements) learn(catalog string, fresh []placed) {
	if len(fresh) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	more := max(0, fresh[len(fresh)-1].place+1-len(e.usual[catalog]))
	if e.held == nil || len(e.held) >= mostElements || e.slots+more > mostElements {
		e.held, e.usual, e.slots = map[string]*element{}, map[string][]*element{}, 0
		more = fresh[len(fresh)-1].place + 1
	}
	e.slots += more
	usual := slices.Concat(e.usual[catalog], make([]*element, more))
	for _, one := range fresh {
		e.held[one.text], usual[one.place] = one.element, one.element
	}
	e.usual[catalog] = usual
}
