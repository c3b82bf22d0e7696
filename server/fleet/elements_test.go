package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plumb/inventory"
	"plumb/policies"
)

// FuzzElements holds what is decoded piece by piece, from new pieces and from known ones, against what
// the standard library makes of the whole.
func FuzzElements(f *testing.F) {
	digest := strings.Repeat("a", 64)
	_, r := runOf(outcome{"a": policies.Compliant, "b": policies.Noncompliant, "c": policies.Compliant, "d": policies.Repaired})
	r.Catalog = digest
	raw, err := json.Marshal(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	for _, tail := range []string{`]}`, `{"address":"a"}]}`, `{"address":"a"}{"address":"b"}]}`, `{"address":"a"},]}`, `{"address":"a"} ,{"address":"b"}]}`,
		`{"address":"a"}],"resources":[{"address":"b"}]}`, `{"address":"a"},null]}`, `1,{"address":"a"}]}`, `{"address":"a"}]]}`, `{"address":"a"}]} `,
		`[{"address":"a"}]]}`, `{"address":{"b":{}}}]}`, `{"address":"a","changes":[{"attribute":"}"}]}]}`} {
		f.Add([]byte(resultHead + digest + resultList + tail))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var want policies.Result
		wantErr := errors.Join(checkText(raw), json.Unmarshal(raw, &want))
		known := &elements{}
		for range 3 { // by the third, all is known that will be
			sent := slices.Clone(raw)
			got, err := known.result(sent)
			clear(sent) // it is used for others then
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("result(%q) gives error %v, want %v", raw, err, wantErr)
			}
			if diff := cmp.Diff(foundOf(want), got, cmpopts.EquateEmpty()); err == nil && diff != "" {
				t.Fatalf("result(%q) differs (-want +got):\n%s", raw, diff)
			}
		}
	})
}

// TestElementsAreShared has two results of a catalog differ in one of three resources.
func TestElementsAreShared(t *testing.T) {
	known := &elements{}
	decoded := func(found outcome) *Found {
		_, r := runOf(found)
		r.Catalog = strings.Repeat("a", 64)
		raw, err := json.Marshal(r)
		must(t, err)
		got, err := known.result(raw)
		must(t, err)
		same(t, "result", got, foundOf(r))
		return got
	}
	decoded(outcome{"a": policies.Compliant, "b": policies.Repaired, "c": policies.Compliant})
	first := decoded(outcome{"a": policies.Repaired, "b": policies.Compliant, "c": policies.Compliant})
	next := decoded(outcome{"a": policies.Compliant, "b": policies.Compliant, "c": policies.Repaired})
	if first.Resources[1] != next.Resources[1] || first.Resources[0] == next.Resources[0] || len(known.held) != 3 {
		t.Errorf("%d resources are known, and those that are the same are not shared", len(known.held))
	}
}

// TestElementsAreBounded has hosts report that all have catalogs and resources of their own.
func TestElementsAreBounded(t *testing.T) {
	known := &elements{}
	for n := range 3 * mostElements / 1000 {
		var r policies.Result
		for i := range 1000 {
			r.Resources = append(r.Resources, policies.ResourceResult{Address: fmt.Sprintf("a%d.%d", n/2, i), Status: policies.Compliant})
		}
		r.Catalog = inventory.Digest([]byte{byte(n)})
		raw, err := json.Marshal(r)
		must(t, err)
		got, err := known.result(raw)
		must(t, err)
		same(t, "resources", len(got.Resources), 1000)
		slots := 0
		for _, list := range known.usual {
			slots += len(list)
		}
		if slots != known.slots || slots > mostElements || len(known.held) > mostElements+1000 {
			t.Fatalf("%d places are kept, %d counted, and %d resources", slots, known.slots, len(known.held))
		}
	}
}

// TestResultsPointAtNoBuffer looks for fields that would stay a part of the JSON that they were read from.
func TestResultsPointAtNoBuffer(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(one reflect.Type) {
		if seen[one] {
			return
		}
		seen[one] = true
		switch {
		case one == reflect.TypeFor[json.RawMessage]():
			t.Error("a resource of a result has a json.RawMessage, which is no copy")
		case one.Kind() == reflect.Struct:
			for _, field := range reflect.VisibleFields(one) {
				walk(field.Type)
			}
		case slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map}, one.Kind()):
			walk(one.Elem())
		}
	}
	walk(reflect.TypeFor[policies.ResourceResult]())
	if len(seen) < 10 {
		t.Errorf("only %d types were looked at", len(seen))
	}
}
