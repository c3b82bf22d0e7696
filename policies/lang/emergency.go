package lang

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"plumb/policies"
	"plumb/policies/patch"
)

func (l *loader) emergency(r *rollout, block *hcl.Block) {
	exprs := expressions(l.content(block.Body, []string{"match", "soak"}))
	r.Emergency = &policies.Emergency{Soak: l.duration(exprs["soak"])}
	e := exprs["match"]
	if e == nil {
		l.report(failure(block.DefRange, "Missing match", `An emergency block says which advisories cannot wait: match = advisory.severity == "critical" && advisory.exploited.`))
		return
	}
	r.Emergency.Match = string(e.Range().SliceBytes(l.cfg.tree[e.Range().Filename]))
	for _, t := range e.Variables() {
		if t.RootName() != advisoryRoot {
			l.report(failure(t.SourceRange(), "Name not available here", "The emergency lane is asked for an advisory and not for a host, so it reads advisory.id, .severity, .exploited, .cves and .summary and nothing else. "+
				"Which hosts are in it is up to the rings."))
			return
		}
	}
	r.emergency = e
}

// advisoryRoot is what an emergency match reads.
const advisoryRoot = "advisory"

// unknownAdvisory has the type of an advisory, so that a match is checked without one.
func unknownAdvisory() *names {
	return &names{advisoryRoot, cty.ObjectVal(map[string]cty.Value{
		"id": cty.UnknownVal(cty.String), "severity": cty.UnknownVal(cty.String), "exploited": cty.UnknownVal(cty.Bool),
		"cves": cty.UnknownVal(cty.List(cty.String)), "summary": cty.UnknownVal(cty.String),
	})}
}

const emergencyMatch = "The match of an emergency block"

// emergencies checks the types of what the emergency lanes match.
func (r *run) emergencies() {
	for _, one := range r.cfg.rollouts {
		if e := one.emergency; e != nil {
			r.condition(e, unknownAdvisory(), emergencyMatch)
		}
	}
}

// Emergencies returns for each rollout with an emergency lane the advisories that cannot wait,
// sorted. One that the expression has no answer for is none; the first such of each rollout is
// among the problems.
func (c *Config) Emergencies(advisories []patch.Advisory) (found map[string][]string, problems []policies.Problem) {
	defer func() {
		if r := recover(); r != nil {
			found, problems = map[string][]string{}, []policies.Problem{internalProblem(r)}
		}
	}()
	found = map[string][]string{}
	s := newScope(c, Input{}, false)
	var diags hcl.Diagnostics
	for _, one := range c.rollouts {
		if one.emergency == nil {
			continue
		}
		ids, wrong := s.cannotWait(one, advisories)
		found[one.Name] = ids
		diags = append(diags, wrong...)
	}
	return found, c.flatten(diags, "")
}

// cannotWait asks one lane for all advisories. Each of them may do the work of a host.
func (s *scope) cannotWait(r *rollout, advisories []patch.Advisory) ([]string, hcl.Diagnostics) {
	ids := []string{}
	var wrong hcl.Diagnostics
	for _, a := range advisories {
		*s.budget, s.diags = *newBudget(), nil
		if s.condition(r.emergency, knownAdvisory(a), emergencyMatch) {
			ids = append(ids, a.ID)
		}
		if len(wrong) == 0 && s.failed() {
			wrong = s.diags
			for _, d := range wrong {
				d.Detail += fmt.Sprintf(" This showed at the advisory %s, which counts as no emergency for it.", a.ID)
			}
		}
	}
	return unique(ids), wrong
}

func knownAdvisory(a patch.Advisory) *names {
	cves := cty.ListValEmpty(cty.String)
	if len(a.CVEs) > 0 {
		list := make([]cty.Value, len(a.CVEs))
		for i, one := range a.CVEs {
			list[i] = cty.StringVal(one)
		}
		cves = cty.ListVal(list)
	}
	return &names{advisoryRoot, cty.ObjectVal(map[string]cty.Value{
		"id": cty.StringVal(a.ID), "severity": cty.StringVal(a.Severity), "exploited": cty.BoolVal(a.Exploited),
		"cves": cves, "summary": cty.StringVal(a.Summary),
	})}
}
