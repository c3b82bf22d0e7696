package agent

import (
	"fmt"
	"slices"
	"strings"

	"plumb/policies"
)

// regressions is the rule by which a release fails on a host: it lists the resources that ended
// in error under the new release and did not under the last good one.
//
// A resource that the last good release did not have counts too: it worked when it was not
// there. One that waits, is skipped or cannot be told does not: nothing was broken. Without a
// last run to compare with nothing is a regression, for there is nothing to return to.
func regressions(before, after *policies.Result) []policies.ResourceResult {
	if before == nil || after == nil {
		return nil
	}
	failed := map[string]bool{}
	for _, one := range before.Resources {
		failed[one.Address] = one.Status == policies.Failed
	}
	var list []policies.ResourceResult
	for _, one := range after.Resources {
		if one.Status == policies.Failed && !failed[one.Address] {
			list = append(list, one)
		}
	}
	return list
}

// judged is what a release is judged by: all but patch cycles, which the server judges by
// themselves. An update that fails is no fault of the release that happens to be in force.
func judged(c policies.Catalog, r policies.Result) *policies.Result {
	patches := map[string]bool{}
	for _, res := range c.Resources {
		patches[res.Address] = res.Kind == patchKind
	}
	r.Resources = slices.DeleteFunc(slices.Clone(r.Resources), func(one policies.ResourceResult) bool { return patches[one.Address] })
	return &r
}

const patchKind = "patch"

func hasPatches(c policies.Catalog) bool {
	return slices.ContainsFunc(c.Resources, func(r policies.Resource) bool { return r.Kind == patchKind })
}

// blame says in a sentence what failed.
func blame(list []policies.ResourceResult) string {
	var names []string
	for _, one := range list[:min(3, len(list))] {
		names = append(names, one.Address)
	}
	text := strings.Join(names, ", ")
	if more := len(list) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	message, _, _ := strings.Cut(list[0].Message, "\n")
	return fmt.Sprintf("%s failed: %.200s", text, message)
}
