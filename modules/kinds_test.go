package modules

import "testing"

func TestEveryResourceCanBeOnlyMeasured(t *testing.T) {
	for _, k := range written() {
		check, ok := Find(k.Name, true)
		if !ok {
			t.Errorf("there is no check of the kind %s", k.Name)
			continue
		}
		if !k.Check && k.Name != "command" && len(check.Attributes()) != len(k.Attributes()) {
			t.Errorf("the check %s has other attributes than the resource", k.Name)
		}
	}
}

func TestKindsAreNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds() {
		name := caseName(k)
		if seen[name] {
			t.Errorf("the kind %s is there twice", name)
		}
		seen[name] = true
	}
}
