package lang

import (
	"encoding/json"
	"testing"

	"plumb/policies/canon"
)

// TestObjectIsCanonical compares what is put together from parts with what canon makes of the whole: digests
// must not depend on who wrote it.
func TestObjectIsCanonical(t *testing.T) {
	text := func(s string) json.RawMessage {
		raw, err := canon.Append(nil, s)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for name, all := range map[string]map[string]json.RawMessage{
		"nothing": {},
		"texts":   {"path": text("/a<b>&\u2028"), "content": text("x\n\xff\x00\"é"), "mode": text("0644"), "a": json.RawMessage(quote("<&>\u2029"))},
		"others":  {"list": json.RawMessage(`["<", "a" ]`), "number": json.RawMessage(" 1e3"), "yes": json.RawMessage("true"), "map": json.RawMessage(`{"b":1,"a":"&"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			want, err := canon.Append(nil, all)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := new(run).object(all); err != nil || string(got) != string(want) {
				t.Errorf("object = %s, %v, want %s", got, err, want)
			}
		})
	}
	if _, err := new(run).object(map[string]json.RawMessage{"a": json.RawMessage("[")}); err == nil {
		t.Error("no error for what is no JSON")
	}
}
