package lang

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"plumb/policies"
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
func unknownAdvisory() names {
	return names{advisoryRoot: cty.ObjectVal(map[string]cty.Value{
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
