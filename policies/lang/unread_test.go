package lang

import (
	"testing"

	"plumb/policies/bundle"
)

// A file that cannot be read hides no mistake of another, and is not blamed on another.
func TestUnreadFileHidesNothing(t *testing.T) {
	_, problems := Load(bundle.Tree{
		"broken.hcl": []byte("variable \"x\" {\n  default = [\n"),
		"other.hcl": []byte(`policy "p" {
  resource "file" "f" {
    path    = "/f"
    contant = "x"
    mode    = var.x
  }
  resource "file" "g" {
    path       = "/g"
    depends_on = [file.elsewhere]
  }
}
`),
	})
	found := map[string]int{}
	for _, p := range problems {
		found[p.File+": "+p.Summary]++
	}
	if found["other.hcl: Unsupported argument"] != 1 {
		t.Errorf("the mistake in the other file is hidden: %v", found)
	}
	for name := range found {
		if name != "other.hcl: Unsupported argument" && name[:10] != "broken.hcl" {
			t.Errorf("%s is not believable", name)
		}
	}
}
