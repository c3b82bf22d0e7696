package modules

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const referencePage = "../docs/kinds.md"

// TestReferencePage keeps docs/kinds.md true: it is written from the doc tags. Run it with
// UPDATE=1 to write it anew.
func TestReferencePage(t *testing.T) {
	want := reference()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(referencePage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("docs/kinds.md is not what the kinds say; run UPDATE=1 go test ./modules -run ReferencePage")
	}
}

func reference() string {
	var b strings.Builder
	b.WriteString("# Kinds: what can be managed and measured\n\n")
	b.WriteString("This page is written from the source; a test keeps it so. Every resource can also stand behind `check`: the same\n")
	b.WriteString("attributes, only ever measured, never in conflict with a resource. Arguments that all resources share are in\n[language.md](language.md).\n")
	for _, k := range written() {
		word := "resource"
		if k.Check {
			word = "check"
		}
		fmt.Fprintf(&b, "\n## %s \"%s\"\n\n%s\n\n| attribute | type | meaning |\n|---|---|---|\n", word, k.Name, k.Doc)
		for _, a := range k.Attributes() {
			if !a.Computed {
				fmt.Fprintf(&b, "| `%s` | %s%s | %s |\n", a.Name, a.Type, marks(a), strings.ReplaceAll(a.Doc, "|", "\\|"))
			}
		}
	}
	b.WriteString("\n## What other blocks stand for\n\nThese kinds are seen in plans, reports and pages. No resource or check block can name them.\n")
	for _, k := range internal() {
		fmt.Fprintf(&b, "\n`%s`: %s\n", k.Name, k.Doc)
	}
	return b.String()
}

func marks(a Attribute) string {
	switch {
	case a.Required:
		return ", required"
	case a.Secret:
		return ", secret"
	}
	return ""
}
