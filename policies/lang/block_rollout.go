package lang

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"plumb/policies"
)

// rollout is a rollout block. All but the match of its emergency lane is constant.
type rollout struct {
	policies.Rollout
	minFree   map[string]int64     // bytes by mount point
	emergency hclsyntax.Expression // match, which is asked for an advisory
	at        hcl.Range
}

// Rollouts returns the rollouts of the tree in the order in which they were read.
func (c *Config) Rollouts() []policies.Rollout {
	list := []policies.Rollout{}
	for _, one := range c.rollouts {
		list = append(list, one.Rollout)
	}
	return list
}

// What a rollout takes beside its rings.
var (
	rolloutArgs   = []string{"title", "carries", "conffiles", "superseded", "rollback", "kernels"}
	rolloutBlocks = []string{"preflight", "failure_budget", "emergency", "hooks", "cluster"}
)

func readRollout(l *loader, block *hcl.Block) {
	r := &rollout{at: block.DefRange}
	r.Name, r.Rings, r.Source = l.label(block), []policies.Ring{}, position(block.DefRange)
	content := l.content(block.Body, rolloutArgs, rolloutSchema()...)
	exprs := expressions(content)
	l.word(exprs["title"])
	r.Carries = l.carries(block, exprs["carries"])
	l.patching(r, exprs)
	seen := map[string]bool{}
	for _, one := range content.Blocks {
		if seen[one.Type] && len(one.Labels) == 0 {
			l.report(failure(one.DefRange, "Duplicate block", fmt.Sprintf("A rollout takes one %s block.", one.Type)))
			continue
		}
		seen[one.Type] = true
		l.rolloutPart(r, one)
	}
	if len(r.Rings) == 0 {
		l.report(failure(block.DefRange, "Rollout without rings", `A rollout has at least one ring: ring "all" { group = group.NAME }.`))
	}
	l.snapshotKnown(r, exprs["rollback"])
	l.addRollout(r, block)
}

func rolloutSchema() []hcl.BlockHeaderSchema {
	schema := []hcl.BlockHeaderSchema{{Type: "ring", LabelNames: []string{"name"}}, {Type: "probe", LabelNames: []string{"name"}}}
	for _, name := range rolloutBlocks {
		schema = append(schema, hcl.BlockHeaderSchema{Type: name})
	}
	return schema
}

// addRollout keeps a rollout. Releases have one way through the fleet, so one rollout carries them.
func (l *loader) addRollout(r *rollout, block *hcl.Block) {
	for _, first := range l.cfg.rollouts {
		if first.Name == r.Name {
			l.report(duplicate("rollout", r.Name, block.DefRange, first.at))
			return
		}
		if r.Carries == policies.CarriesReleases && first.Carries == r.Carries {
			l.report(failure(block.DefRange, "Two rollouts carry releases", fmt.Sprintf("The rollout %q at %s:%d carries releases already, "+
				"and a host gets each release in one ring. Put all rings into one rollout.", first.Name, first.Source.File, first.Source.Line)))
			return
		}
	}
	l.cfg.rollouts = append(l.cfg.rollouts, r)
}

func (l *loader) carries(block *hcl.Block, e hclsyntax.Expression) string {
	if e == nil {
		l.report(failure(block.DefRange, "Missing carries", `A rollout says what it takes through its rings: carries = "releases", or the address of a patch baseline.`))
		return ""
	}
	if name, ok := addressOf(e, "patch_baseline"); ok {
		l.baselineUses = append(l.baselineUses, named{name: name, at: e.Range()})
		return "patch_baseline." + name
	}
	return l.oneOf(e, policies.CarriesReleases)
}

func (l *loader) rolloutPart(r *rollout, block *hcl.Block) {
	switch block.Type {
	case "ring":
		l.ring(r, block)
	case "failure_budget":
		r.Budget = l.budget(block)
	case "cluster":
		r.Cluster = l.cluster(block)
	default:
		l.patchPart(r, block)
	}
}

func (l *loader) budget(block *hcl.Block) *policies.Budget {
	exprs := expressions(l.content(block.Body, []string{"percent", "count", "min_sample"}))
	b := &policies.Budget{MinSample: max(1, l.number(exprs["min_sample"], 0, 1_000_000))}
	if e := exprs["percent"]; e != nil {
		percent := l.percent(e, 0)
		b.Percent = &percent
	}
	if e := exprs["count"]; e != nil {
		count := l.number(e, 0, 1_000_000)
		b.Count = &count
	}
	if b.Percent == nil && b.Count == nil {
		l.report(failure(block.DefRange, "Incomplete failure_budget", "A failure budget says how many hosts may fail: count = 3, percent = 5, or both."))
	}
	return b
}

// cluster reads which hosts serve together. Without a number one of them at a time is out.
func (l *loader) cluster(block *hcl.Block) *policies.Cluster {
	exprs := expressions(l.content(block.Body, []string{"label", "max_unavailable"}))
	c := &policies.Cluster{Label: l.word(exprs["label"]), MaxUnavailable: policies.Share{Count: 1}}
	if share := l.share(exprs["max_unavailable"]); share != nil {
		c.MaxUnavailable = *share
	}
	if exprs["label"] == nil {
		l.report(failure(block.DefRange, "Incomplete cluster", `A cluster block names the host label that says which cluster a host is in: label = "cluster".`))
		return c
	}
	l.labelKey(exprs["label"], c.Label)
	return c
}
