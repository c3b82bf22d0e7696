package lang

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"plumb/modules"
	"plumb/policies"
	"plumb/policies/bundle"
)

// Config is a loaded policy repository. It never changes, so many hosts may be compiled at once.
type Config struct {
	tree      bundle.Tree
	files     map[string]*hcl.File
	kinds     []modules.Kind
	variables map[string]*variable
	locals    map[string]*named
	values    map[string]*named
	hosts     map[string]*host
	groups    map[string]*group
	policies  map[string]*policy
	rollouts  []*rollout
	windows   map[string]*window
	freezes   map[string]*freeze
	baselines map[string]*baseline
	slas      map[string]*sla
	constants map[string]bool // locals that were looked at, see [Config.constantLocal]
	waivers   map[string]*waiver
}

// named is an expression with a name: a local, or a value for a variable.
type named struct {
	name string
	expr hclsyntax.Expression
	at   hcl.Range
}

type host struct {
	name   string
	labels map[string]string
	vars   map[string]*named
	at     hcl.Range
}

type group struct {
	name           string
	match, exclude hclsyntax.Expression
	sample         *sample
	vars           map[string]*named
	priority       int
	at             hcl.Range
}

type variable struct {
	name        string
	wants       cty.Type
	defaults    func(cty.Value) cty.Value
	fallback    *cty.Value
	sensitive   bool
	nullable    bool
	validations []validation
	at          hcl.Range
	fallbackAt  hcl.Range // of the default
}

type validation struct {
	condition, message hclsyntax.Expression
	at                 hcl.Range
}

type policy struct {
	name      string
	meta      map[string]hclsyntax.Expression
	resources []*resource
	at        hcl.Range
}

type resource struct {
	kind    modules.Kind
	own     map[string]modules.Attribute
	name    string
	block   string // the address that all of its instances begin with
	policy  *policy
	attrs   []*named
	meta    map[string]hclsyntax.Expression
	refs    map[string][]reference
	retry   map[string]hclsyntax.Expression
	windows []string
	broken  bool // its block has mistakes, so the kind need not judge it
	settled bool // it says the same on every host: made are its instances
	made    []*instance
	at      hcl.Range
}

func position(at hcl.Range) policies.Position {
	return policies.Position{File: at.Filename, Line: at.Start.Line}
}

func (c *Config) kind(name string, check bool) (modules.Kind, bool) {
	i := slices.IndexFunc(c.kinds, func(k modules.Kind) bool { return k.Name == name && k.Check == check })
	if i < 0 {
		return modules.Kind{}, false
	}
	return c.kinds[i], true
}

func (c *Config) kindNames(check bool) []string {
	var list []string
	for _, k := range c.kinds {
		if k.Check == check && !internal(k, k.Name) {
			list = append(list, k.Name)
		}
	}
	return list
}

func (c *Config) isKind(name string) bool {
	return name == "check" || slices.ContainsFunc(c.kinds, func(k modules.Kind) bool { return k.Name == name })
}

func newConfig(tree bundle.Tree, kinds []modules.Kind) *Config {
	return &Config{constants: map[string]bool{}, tree: maps.Clone(tree), kinds: kinds, files: map[string]*hcl.File{}, variables: map[string]*variable{},
		locals: map[string]*named{}, values: map[string]*named{}, hosts: map[string]*host{}, groups: map[string]*group{}, policies: map[string]*policy{},
		windows: map[string]*window{}, freezes: map[string]*freeze{},
		baselines: map[string]*baseline{}, slas: map[string]*sla{}, waivers: map[string]*waiver{}}
}
