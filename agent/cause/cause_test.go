package cause

import (
	"testing"
	"time"

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
		"a waiver ended":          {&Entry{Wanted: "w", Status: policies.Waived, Cause: policies.Corrective}, "w", policies.RevertedWaiver},
		"passed under a waiver":   {&Entry{Wanted: "w", Status: policies.Compliant}, "w", policies.Corrective},
		"waived, policy changed":  {&Entry{Wanted: "v", Status: policies.Waived}, "w", policies.Intentional},
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
	want, err := Wanted(base, nil)
	if err != nil {
		t.Fatal(err)
	}
	moved := base
	moved.Source, moved.Title, moved.Controls = policies.Position{File: "b.hcl", Line: 9}, "Title", []string{"cis:1"}
	if got, _ := Wanted(moved, nil); got != want {
		t.Error("a line that moved is a new intention")
	}
	for name, change := range map[string]func(*policies.Resource){
		"mode":       func(r *policies.Resource) { r.Mode = policies.Audit },
		"attributes": func(r *policies.Resource) { r.Attributes = []byte(`{"path":"/b"}`) },
	} {
		other := base
		change(&other)
		if got, _ := Wanted(other, nil); got == want {
			t.Errorf("another %s is the same intention", name)
		}
	}
}

// TestKeyedDigests of secrets are another one on each host, and follow plain ones.
func TestKeyedDigests(t *testing.T) {
	r := policies.Resource{Kind: "file", Attributes: []byte(`{"content":"hunter2"}`)}
	plain, _ := Wanted(r, nil)
	one, _ := Wanted(r, []byte("key of a host"))
	again, _ := Wanted(r, []byte("key of a host"))
	other, err := Wanted(r, []byte("key of another"))
	if err != nil || one != again || one == other || one == plain {
		t.Fatalf("digests %s, %s, %s, %v: want equal ones for equal keys only", one, again, other, err)
	}
	m := Memory{"a": {Wanted: plain, Status: policies.Compliant}, "b": {Wanted: "v", Status: policies.Compliant}}
	for _, address := range []string{"a", "b", "unknown"} {
		m.Key(address, plain, one)
	}
	if got := m.Of("a", one); got != policies.Corrective {
		t.Errorf("after the first key: %s, want corrective", got)
	}
	if got := m.Of("b", one); got != policies.Intentional || len(m) != 2 {
		t.Errorf("another policy under the first key: %s, want intentional", got)
	}
}

func TestBetween(t *testing.T) {
	for name, c := range map[string]struct {
		last     *Entry
		from, to string
	}{
		"never seen":          {nil, "", ""},
		"the policy changed":  {&Entry{Wanted: "v", Commit: "b"}, "b", "c"},
		"a fact changed":      {&Entry{Wanted: "v", Commit: "c"}, "c", "c"},
		"it waited since":     {&Entry{Wanted: "w", Commit: "b", From: "a", To: "b"}, "a", "b"},
		"nothing was changed": {&Entry{Wanted: "w", Commit: "b"}, "", ""},
	} {
		m := Memory{}
		if c.last != nil {
			m["x"] = *c.last
		}
		if from, to := m.Between("x", "w", "c"); from != c.from || to != c.to {
			t.Errorf("%s: Between = %q, %q, want %q, %q", name, from, to, c.from, c.to)
		}
	}
}

func TestNoteKeepsTheNewest(t *testing.T) {
	var e Entry
	for i := range 9 {
		e.Note(time.Unix(int64(i), 0), policies.ResourceResult{Status: policies.Repaired, Cause: policies.Corrective,
			Changes: []policies.Change{{Attribute: "content", Before: "x", After: "y", Diff: "-x\n+y"}}})
	}
	for range 3 { // the same failure is told once
		e.Note(time.Unix(10, 0), policies.ResourceResult{Status: policies.Failed, Cause: policies.Intentional})
	}
	e.Note(time.Unix(11, 0), policies.ResourceResult{Status: policies.Compliant})
	if len(e.Changed) != keptChanges || e.Changed[4].Status != policies.Failed || e.Changed[3].At.Unix() != 8 || e.Changed[3].Changes[0].Diff != "" {
		t.Errorf("kept %+v", e.Changed)
	}
}
