package canon

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"plumb/policies"
)

// each has a field of every shape.
type each struct {
	Text    string            `json:"text"`
	Maybe   *string           `json:"maybe,omitempty"`
	Yes     bool              `json:"yes"`
	No      *bool             `json:"no,omitempty"`
	Whole   int               `json:"whole"`
	Some    *int              `json:"some,omitempty"`
	Real    float64           `json:"real"`
	Raw     json.RawMessage   `json:"raw"`
	Texts   []string          `json:"texts"`
	Map     map[string]string `json:"map,omitempty"`
	Any     any               `json:"any"`
	Time    time.Time         `json:"time"`
	Nested  []policies.Change `json:"nested"`
	Bytes   []byte            `json:"bytes"`
	Left    string            `json:"-"`
	Unnamed string
	Deep    map[string]*policies.Retry `json:"deep"`
}

func drawn(t *rapid.T) each {
	words := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "a\nb\t\"\\", "<&>", "\u2028", "ä€😀", "\x00\x7f", "\xff", "\b\f"}))
	maybe := words.Draw(t, "maybe")
	return each{
		Text: words.Draw(t, "text"), Maybe: &maybe, Yes: rapid.Bool().Draw(t, "yes"), Whole: rapid.Int().Draw(t, "whole"), Real: rapid.Float64Range(-1e9, 1e9).Draw(t, "real"),
		Raw:   json.RawMessage(rapid.SampledFrom([]string{"null", `{"a":[1,-2.5e3,{}],"b":"\n"}`, ` [ 1 ]`, `"<"`, "{", `{"a":01}`, "12", "true"}).Draw(t, "raw")),
		Texts: rapid.SliceOf(words).Draw(t, "texts"), Map: rapid.MapOf(words, words).Draw(t, "map"), Any: words.Draw(t, "any"), Time: time.Unix(rapid.Int64Range(0, 1e9).Draw(t, "time"), 0).UTC(),
		Nested: []policies.Change{{Attribute: words.Draw(t, "attribute")}}, Bytes: rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"),
		Deep: map[string]*policies.Retry{words.Draw(t, "key"): {Attempts: 3}, "none": nil},
	}
}

func TestMarshalIsThatOfEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one := drawn(t)
		for _, v := range []any{one, &one, []each{one}, one.Map, one.Text, nil} {
			want, wantErr := json.Marshal(v)
			got, err := Marshal(v)
			if !bytes.Equal(got, want) || (err == nil) != (wantErr == nil) {
				t.Fatalf("Marshal(%#v) = %s, %v, want %s, %v", v, got, err, want, wantErr)
			}
		}
	})
}

func TestUnmarshalReadsWhatMarshalWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw, err := Marshal(drawn(t))
		if err != nil {
			return
		}
		same(t, raw)
	})
}

// fataler is what tests and fuzz tests have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// same compares with encoding/json what becomes of the text.
func same(t fataler, raw []byte) {
	t.Helper()
	for _, make := range []func() any{
		func() any { return &each{Text: "kept", Maybe: new("kept"), Whole: 7} }, func() any { return new(policies.Catalog) },
		func() any { return new(policies.Result) }, func() any { return &map[string]policies.Position{} }, func() any { return new(string) }, func() any { return new(any) },
	} {
		got, want := make(), make()
		err, wantErr := Unmarshal(raw, got), json.Unmarshal(raw, want)
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() || !reflect.DeepEqual(got, want) {
			t.Fatalf("Unmarshal(%s) = %v, want %v: %s", raw, err, wantErr, cmp.Diff(want, got))
		}
		got, want = make(), make()
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		err, wantErr = UnmarshalStrict(raw, got), dec.Decode(want)
		if (err == nil) != (wantErr == nil) || !reflect.DeepEqual(got, want) {
			t.Fatalf("UnmarshalStrict(%s) = %v, want %v: %s", raw, err, wantErr, cmp.Diff(want, got))
		}
	}
}

// TestCatalogsTakeTheQuickWay fails when a field is of a type that this package leaves to
// encoding/json: catalogs would be right, and slow.
func TestCatalogsTakeTheQuickWay(t *testing.T) {
	seconds := 3
	for _, v := range []any{
		policies.Catalog{Resources: []policies.Resource{{Address: "policy.p.file.x", Kind: "file", Attributes: json.RawMessage(`{"content":"a\n\u003cb\u003e","path":"/x"}`),
			Controls: []string{"a:b"}, Retry: &policies.Retry{Attempts: seconds}, AlsoDeclared: []policies.Position{{File: "a", Line: 1}}}}},
		policies.Result{Catalog: "x", Resources: []policies.ResourceResult{{Address: "a", Status: policies.Compliant, Changes: []policies.Change{{Attribute: "b"}}}}},
	} {
		raw, ok := planOf(reflect.TypeOf(v)).append(nil, reflect.ValueOf(v))
		if !ok {
			t.Fatalf("%T is not written the quick way", v)
		}
		into := reflect.New(reflect.TypeOf(v))
		if !fill(raw, into.Interface()) {
			t.Fatalf("%T is not read the quick way: %s", v, raw)
		}
		if diff := cmp.Diff(v, into.Elem().Interface()); diff != "" {
			t.Errorf("%T (-want +got):\n%s", v, diff)
		}
		resource := reflect.TypeOf(v).Field(0).Type
		if p := planOf(resource); resource.Kind() == reflect.Slice && p.elem.shape != object {
			t.Errorf("%v is left to encoding/json", resource)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, seed := range []string{
		`{"resources":[{"address":"policy.p.file.x[\"a\"]","kind":"file","policy":"p","mode":"enforce","attributes":{"content":"a\nb","path":"/x"},"source":{"file":"p.hcl","line":3}}]}`,
		`{"text":"a","maybe":"b","yes":true,"no":false,"whole":-12,"some":3,"real":1.5,"raw":{"a":[1,null]},"texts":["x","y"],"map":{"k":"v"},"any":[1],"time":"2026-11-21T00:00:00Z","nested":[],"bytes":"AQ==","Unnamed":"u","deep":{"a":null}}`,
		`{"Text":"case","text":"twice","text":"again"}`, `{"texts":null,"map":null,"some":null,"yes":null,"unknown":1}`, `{"catalog":"x","resources":null}`,
		`{"whole":01}`, `{"whole":1e3}`, `{"whole":123456789012345678901}`, `{"whole":-0}`, ` {"text":"space"} `, `{"text":"\u003c\u00e4\u2028\ud83d\ude00\/"}`, `{"text":"<"}`, "{\"text\":\"\xff\"}",
		`{"a":{"file":"f","line":1}}`, `"text"`, `{"raw":[[[[`, `{"text":"a"`, `{"text":"a",}`, `{"texts":[,]}`, `[]`, `null`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { same(t, raw) })
}
