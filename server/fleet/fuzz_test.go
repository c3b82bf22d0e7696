package fleet

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"plumb/agent/protocol"
	"plumb/policies"
	"plumb/policies/canon"
	"plumb/server/store"
)

func TestDecodeObjectRefuses(t *testing.T) {
	for name, c := range map[string]struct{ kind, raw string }{
		"empty":             {store.KindFacts, ``},
		"not JSON":          {store.KindFacts, `{`},
		"two values":        {store.KindFacts, `{} {}`},
		"not UTF-8":         {store.KindFacts, "{\"hostname\":\"\xff\"}"},
		"control character": {store.KindFacts, `{"hostname":"\u001b[2J"}`},
		"in a key":          {store.KindFacts, `{"custom":{"\u0000":1}}`},
		"form feed":         {store.KindFacts, `{"hostname":"a\fb"}`},
		"delete":            {store.KindFacts, "{\"hostname\":\"\x7f\"}"},
		"C1":                {store.KindFacts, "{\"hostname\":\"\u009b2J\"}"},
		"C1 escaped":        {store.KindFacts, `{"hostname":"\u009B2J"}`},
		"after a backslash": {store.KindFacts, `{"hostname":"\\\u0007"}`},
		"too deep":          {store.KindFacts, `{"custom":` + strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 40) + `}`},
		"wrong type":        {store.KindFacts, `{"os":[]}`},
		"bundle":            {store.KindBundle, `{}`},
		"catalog twice":     {store.KindCatalog, `{"resources":[{"address":"a"},{"address":"a"}]}`},
		"catalog address":   {store.KindCatalog, `{"resources":[{}]}`},
		"result twice":      {store.KindResult, `{"resources":[{"address":"a","status":"compliant"},{"address":"a","status":"error"}]}`},
		"result status":     {store.KindResult, `{"resources":[{"address":"a","status":"excellent"}]}`},
		"result cause":      {store.KindResult, `{"resources":[{"address":"a","status":"repaired","cause":"corrective compliant b"}]}`},
		"server's status":   {store.KindResult, `{"resources":[{"address":"a","status":"stale"}]}`},
		"too many":          {store.KindResult, `{"resources":[` + strings.Repeat(`{"address":"a","status":"compliant"},`, 20_001) + `{}]}`},
		"too large":         {store.KindFacts, `"` + strings.Repeat("a", protocol.MaxObject) + `"`},
	} {
		if v, err := decodeObject(&elements{}, c.kind, []byte(c.raw)); err == nil {
			t.Errorf("%s: decodeObject(%s, %.60q) = %v, want an error", name, c.kind, c.raw, v)
		}
	}
}

func FuzzDecodeObject(f *testing.F) {
	catalog, result := runOf(outcome{"a": policies.Compliant, "b": policies.Noncompliant})
	for _, v := range []any{catalog, result} {
		raw, err := json.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"os":{"kernel":"linux"},"packages":{"a":"1"},"custom":{"x":[1,{"y":null}]}}`))
	f.Add([]byte(`[[[[`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := checkText(raw); err == nil {
			checkTaken(t, raw)
		}
		c, err := decodeObject(&elements{}, store.KindCatalog, raw)
		if err != nil {
			return
		}
		r, err := decodeObject(&elements{}, store.KindResult, raw)
		if err != nil {
			return
		}
		run := Run{Report: policies.Report{Epoch: "e", Seq: 1}, Catalog: &c.(*decodedCatalog).Catalog, Result: r.(*Found)}
		step, _ := Derive(State{}, run, start)
		total := 0
		for _, n := range step.Host.Counts {
			total += n
		}
		if total < len(run.Catalog.Resources) {
			t.Fatalf("%d resources are counted, the catalog has %d", total, len(run.Catalog.Resources))
		}
	})
}

// checkTaken walks JSON token by token: what checkText let pass must have none of what it
// is there to find.
func checkTaken(t *testing.T, raw []byte) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	for depth := 0; ; {
		token, err := d.Token()
		if err != nil {
			return
		}
		switch one := token.(type) {
		case string:
			if strings.ContainsFunc(one, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r", r) }) {
				t.Fatalf("checkText(%q) took the text %q", raw, one)
			}
		case json.Delim:
			depth++
			if one == '}' || one == ']' {
				depth -= 2
			}
			if depth > maxDepth {
				t.Fatalf("checkText(%q) took a depth of %d", raw, depth)
			}
		}
	}
}

func FuzzCheckIn(f *testing.F) {
	f.Add([]byte(`{"version":1,"agent":"1.0","counter":7,"floor":1,"reports":[{"epoch":"e","seq":1,"problem":"x\u001b"}],"paused":{"until":"x","reason":"y\u0007"}}`))
	f.Add([]byte(`{"version":1,"reports":[{"epoch":"e","seq":18446744073709551615}]}`))
	f.Add([]byte(`{"version":1,"reports":null}`))
	f.Add([]byte(`{"version":1,"agent":"1.0","reports":[{"epoch":"e","seq":1,"finished":"2026-11-21T12:00:00.5Z"}],"objects":{"a":"AAECAw==","b":null,"c":"A"},"patching":[{"rollout":"os","done":1}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var in, other protocol.CheckIn
		err, otherErr := json.Unmarshal(raw, &in), canon.Unmarshal(raw, &other)
		if (err == nil) != (otherErr == nil) || err == nil && !cmp.Equal(in, other) {
			t.Fatalf("Unmarshal(%q) = %+v, %v; encoding/json gives %+v, %v", raw, other, otherErr, in, err)
		}
		if err != nil || clean(&in) != nil {
			return
		}
		texts := []string{in.Agent}
		if in.Paused != nil {
			texts = append(texts, in.Paused.Until, in.Paused.Reason)
		}
		for _, r := range in.Reports {
			texts = append(texts, r.Epoch, r.Commit, r.BootID, r.Problem, r.Facts, r.Catalog, r.Result)
			if int64(r.Seq) <= 0 || int64(r.Release) < 0 {
				t.Fatalf("clean(%q) took the numbers %d and %d", raw, r.Seq, r.Release)
			}
		}
		for _, text := range texts {
			if len(text) > maxProblem || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
				t.Fatalf("clean(%q) left the text %q", raw, text)
			}
		}
	})
}
