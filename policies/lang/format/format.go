// Package format gives policy files their usual layout.
//
// It is apart from package lang so that the agent, which never formats, does not link it.
package format

import (
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"

	"plumb/policies"
	"plumb/policies/lang"
)

// Format returns the file in its usual layout. A file that does not parse comes back as it
// is, with what is wrong; JSON comes back as it is.
func Format(src []byte, filename string) ([]byte, []policies.Problem) {
	if problems := lang.Syntax(src, filename); len(problems) > 0 {
		return src, problems
	}
	if strings.HasSuffix(filename, ".json") {
		return src, []policies.Problem{}
	}
	return hclwrite.Format(src), []policies.Problem{}
}
