package fleet

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
		ends, err := elementsOf(raw)
		if err != nil {
			return
		}
		var want policies.Result
		wantErr := json.Unmarshal(raw, &want)
		known := &elements{}
		for range 2 {
			got, err := known.result(raw, ends)
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("result(%q) gives error %v, want %v", raw, err, wantErr)
			}
			if diff := cmp.Diff(want, got); err == nil && diff != "" {
				t.Fatalf("result(%q) differs (-want +got):\n%s", raw, diff)
			}
		}
	})
}
