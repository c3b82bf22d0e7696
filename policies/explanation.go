package policies

import "encoding/json"

// Explanation says where one resource of a host's catalog comes from.
type Explanation struct {
	Address string `json:"address"`
	Kind    string `json:"kind"`
	Check   bool   `json:"check,omitempty"`
	Title   string `json:"title,omitempty"`
	Policy  string `json:"policy"`
	// Source is where it is declared.
	Source Position `json:"source"`
	// Asked is the address that was asked for, where another declaration took its place.
	Asked string `json:"asked,omitempty"`
	// Attribute is the one attribute, or setting, that was asked for; empty for all.
	Attribute string `json:"attribute,omitempty"`
	// NotApplicable is true when its own when, or its policy's, is false.
	NotApplicable bool `json:"not_applicable,omitempty"`
	// Conditions are what decided that the host has it: the applies_to and when of its policy,
	// its own when, and the for_each or count that made it.
	Conditions []Explained `json:"conditions"`
	// Mode says whether it is mended, and who says so.
	Mode Explained `json:"mode"`
	// Settings are the other meta-arguments that were given.
	Settings []Explained `json:"settings"`
	// Attributes are those of its kind, by name.
	Attributes []Explained `json:"attributes"`
	// AlsoDeclared and Overrides are as in [Resource].
	AlsoDeclared []Position `json:"also_declared,omitempty"`
	Overrides    []Position `json:"overrides,omitempty"`
}

// Explained is one value, who gives it, and what it was made of.
type Explained struct {
	// Name is an attribute, or what an expression calls it: var.contact, fact.os.family.
	Name string `json:"name"`
	// Value is the JSON of the value. It is absent where the value is sensitive, missing or too
	// large to show; Words then describes it.
	Value json.RawMessage `json:"value,omitempty"`
	Words string          `json:"words,omitempty"`
	// Sensitive is true when it must not be shown, nor anything that it was made of.
	Sensitive bool `json:"sensitive,omitempty"`
	// Missing is true when the host has no such fact or label.
	Missing bool `json:"missing,omitempty"`
	// From says in words who gives it: vars of group web, priority 10; a fact of the host.
	From string `json:"from"`
	// At is where that is written; nil for what no file says, such as facts.
	At *Place `json:"at,omitempty"`
	// Text is the expression as it is written there, cut where it is long.
	Text string `json:"text,omitempty"`
	// Reads are the values that the expression reads.
	Reads []Explained `json:"reads,omitempty"`
	// Others are the places that give another value and do not win, the strongest first.
	Others []Explained `json:"others,omitempty"`
	// Again is true when it was told before what it was made of.
	Again bool `json:"again,omitempty"`
}

// Absent says in words why no value is shown; it is false where there is one.
func (e Explained) Absent() (words string, absent bool) {
	switch {
	case e.Sensitive:
		return "(sensitive)", true
	case e.Missing:
		return "(the host has none)", true
	}
	return e.Words, e.Value == nil
}

// Place is a place in the policy repository, to the column.
type Place struct {
	// File is relative to the root of the repository, with slashes.
	File string `json:"file"`
	// Line and Column count from 1.
	Line   int `json:"line"`
	Column int `json:"column"`
}

// Only keeps one attribute, or setting, of the explanation; it is false when there is none of
// the name.
func (e *Explanation) Only(name string) bool {
	if e.Mode.Name == name && !hasName(e.Attributes, name) {
		e.Attribute, e.Attributes, e.Settings = name, []Explained{}, []Explained{e.Mode}
		return true
	}
	attributes, settings := named(e.Attributes, name), named(e.Settings, name)
	if len(attributes)+len(settings) == 0 {
		return false
	}
	e.Attribute, e.Attributes, e.Settings = name, attributes, settings
	return true
}

func hasName(list []Explained, name string) bool { return len(named(list, name)) > 0 }

func named(list []Explained, name string) []Explained {
	kept := []Explained{}
	for _, one := range list {
		if one.Name == name {
			kept = append(kept, one)
		}
	}
	return kept
}
