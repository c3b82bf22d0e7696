package lang

import (
	"fmt"

	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

func readPlumb(l *loader, block *hcl.Block) {
	content := l.content(block.Body, []string{"required_version"})
	e := expressions(content)["required_version"]
	if e == nil {
		return
	}
	wants, ok := l.constant(e)
	if !ok {
		return
	}
	constraint, err := version.NewConstraint(wants)
	if err != nil {
		l.report(failure(e.Range(), "Unusable version constraint", fmt.Sprintf(`%q is not a constraint such as "~> 1.0" or ">= 1.2, < 2.0".`, wants)))
		return
	}
	if have, err := version.NewVersion(Version); err != nil || !constraint.Check(have) {
		l.report(failure(e.Range(), "Unsupported version of Plumb", fmt.Sprintf("This repository asks for Plumb %s, and this is Plumb %s. Use another Plumb, or change required_version.", wants, Version)))
	}
}

// constant returns the text of an expression that refers to nothing.
func (l *loader) constant(e hclsyntax.Expression) (string, bool) {
	v, diags := e.Value(nil)
	if len(e.Variables()) > 0 || (!diags.HasErrors() && text(v) == "") {
		l.report(failure(e.Range(), "Constant wanted", "Only text in quotes can stand here, because it is read before anything is evaluated."))
		return "", false
	}
	l.report(diags...)
	return text(v), !diags.HasErrors()
}
