package fleet

import (
	"bytes"
	"encoding/json"
	"sync"

	"plumb/policies"
	"plumb/policies/canon"
)

// elements remembers what the JSON of single resources in results means. Most resources of most
// hosts are in order and say so in the same bytes, run after run, so that a changed result has a few
// that were not seen before.
type elements struct {
	mu   sync.RWMutex
	held map[string]policies.ResourceResult
}

const (
	// mostElements bounds how many are kept, mostElement how long one may be, in bytes.
	mostElements = 50_000
	mostElement  = 256
)

// The frame in which our agents put the resources of a result.
const (
	resultHead = `{"catalog":"`
	resultList = `","resources":[`
	resultTail = `]}`
)

// result decodes a result. Ends are the places in raw where something at the depth of a resource
// ends, as checkText found them. What does not look like our agents' is decoded as a whole.
func (e *elements) result(raw []byte, ends []int) (policies.Result, error) {
	var r policies.Result
	from := len(resultHead) + 64 + len(resultList)
	if len(raw) < from || !bytes.HasPrefix(raw, []byte(resultHead)) || string(raw[from-len(resultList):from]) != resultList || len(ends) == 0 ||
		string(raw[ends[len(ends)-1]:]) != resultTail || bytes.IndexByte(raw[len(resultHead):from-len(resultList)], '"') >= 0 {
		return r, json.Unmarshal(raw, &r)
	}
	if err := json.Unmarshal(raw[len(resultHead)-1:from-len(resultList)+1], &r.Catalog); err != nil {
		return r, err
	}
	r.Resources = make([]policies.ResourceResult, len(ends))
	var fresh []int
	e.mu.RLock()
	for i, end := range ends {
		if i > 0 && raw[from] != ',' {
			fresh = append(fresh, i, end) // an empty text is no JSON: all of it is decoded as a whole
			break
		}
		if i > 0 {
			from++
		}
		one, known := e.held[string(raw[from:end])]
		if r.Resources[i] = one; !known {
			fresh = append(fresh, i, from)
		}
		from = end
	}
	e.mu.RUnlock()
	for ; len(fresh) > 0; fresh = fresh[2:] {
		if err := e.learn(&r.Resources[fresh[0]], raw[fresh[1]:ends[fresh[0]]]); err != nil {
			var whole policies.Result
			return whole, json.Unmarshal(raw, &whole) // which says what is wrong, and where
		}
	}
	return r, nil
}

// learn decodes one resource and remembers it when it is short, as those are that are in order.
func (e *elements) learn(into *policies.ResourceResult, raw []byte) error {
	if err := canon.Unmarshal(raw, into); err != nil || len(raw) > mostElement || into.Status != policies.Compliant {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.held == nil || len(e.held) >= mostElements {
		e.held = map[string]policies.ResourceResult{}
	}
	e.held[string(raw)] = *into
	return nil
}
