package cause

import (
	"testing"

	"plumb/policies"
)

func TestOf(t *testing.T) {
	for name, c := range map[string]struct {
		last  *Entry
		wants string
		want  policies.Cause
	}{
		"never seen":              {nil, "w", policies.Initial},
		"policy changed":          {&Entry{Wanted: "v", Status: policies.Compliant}, "w", policies.Intentional},
		"changed while broken":    {&Entry{Wanted: "v", Status: policies.Failed, Cause: policies.Corrective}, "w", policies.Intentional},
		"drifted":                 {&Entry{Wanted: "w", Status: policies.Compliant}, "w", policies.Corrective},
		"drifted after a repair":  {&Entry{Wanted: "w", Status: policies.Repaired, Cause: policies.Initial}, "w", policies.Corrective},
		"still not mended":        {&Entry{Wanted: "w", Status: policies.Failed, Cause: policies.Intentional}, "w", policies.Intentional},
		"audited since the first": {&Entry{Wanted: "w", Status: policies.Noncompliant, Cause: policies.Initial}, "w", policies.Initial},
		"unknown until now":       {&Entry{Wanted: "w", Status: policies.Unknown}, "w", policies.Initial},
	} {
		m := Memory{}
		if c.last != nil {
			m["a"] = *c.last
		}
		if got := m.Of("a", c.wants); got != c.want {
			t.Errorf("%s: Of = %s, want %s", name, got, c.want)
		}
	}
}

func TestWantedIgnoresWhereAndWhy(t *testing.T) {
	base := policies.Resource{Kind: "file", Mode: policies.Enforce, Attributes: []byte(`{"path":"/a"}`)}
	want, err := Wanted(base)
	if err != nil {
		t.Fatal(err)
	}
	moved := base
	moved.Source, moved.Title, moved.Controls = policies.Position{File: "b.hcl", Line: 9}, "Title", []string{"cis:1"}
	if got, _ := Wanted(moved); got != want {
		t.Error("a line that moved is a new intention")
	}
	for name, change := range map[string]func(*policies.Resource){
		"mode":       func(r *policies.Resource) { r.Mode = policies.Audit },
		"attributes": func(r *policies.Resource) { r.Attributes = []byte(`{"path":"/b"}`) },
	} {
		other := base
		change(&other)
		if got, _ := Wanted(other); got == want {
			t.Errorf("another %s is the same intention", name)
		}
	}
}
