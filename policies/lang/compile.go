package lang

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"plumb/inventory"
	"plumb/modules"
	"plumb/policies"
	"plumb/policies/canon"
	"plumb/policies/patch"
)

// Input is one host as policies see it.
type Input struct {
	Host inventory.Host `json:"host"`
	// Facts is what inventory.Facts.Tree returns.
	Facts map[string]any `json:"facts"`
}

// Output is what a tree makes of one host.
type Output struct {
	// Catalog has no resources when there is an error among the problems.
	Catalog policies.Catalog
	// Reads are the facts and host attributes that the result depends on, sorted; see [Config.Key].
	Reads []string
	// Groups are the groups that the host is a member of, sorted.
	Groups []string
	// Terms is what the tree says about the patching of the host.
	Terms patch.Terms
	// Problems are the mistakes that show on this host.
	Problems []policies.Problem
}

// Compile makes the catalog of one host. The same tree and input give the same output.
func (c *Config) Compile(in Input) (out Output) {
	defer func() {
		if r := recover(); r != nil {
			out = Output{Catalog: policies.Catalog{Resources: []policies.Resource{}}, Reads: []string{}, Groups: []string{}}
			out.Problems = []policies.Problem{internalProblem(r)}
		}
	}()
	r := newRun(c, in, false)
	groups := r.memberships()
	r.all()
	freezes := r.freezes()
	terms := r.terms(groups)
	patches := r.patches(groups, terms)
	catalog := policies.Catalog{Resources: r.catalog()}
	if !r.failed() {
		catalog.Resources = withPatches(catalog.Resources, patches)
	}
	if catalog.Windows = r.windows(catalog.Resources); !r.failed() {
		catalog.Freezes = freezes
		catalog.Waivers = r.waivers(catalog.Resources)
	}
	out = Output{Catalog: catalog, Groups: groups, Terms: terms, Reads: sortedKeys(r.reads)}
	if out.Reads == nil {
		out.Reads = []string{}
	}
	out.Problems = c.flatten(r.diags, in.Host.Name)
	return out
}

// Digest returns the canonical JSON of a catalog and its digest.
func Digest(c policies.Catalog) (raw []byte, digest string, err error) {
	if c.Resources == nil {
		c.Resources = []policies.Resource{}
	}
	if raw, err = canon.Append(make([]byte, 0, roomFor(c)), c); err != nil {
		return nil, "", fmt.Errorf("cannot encode the catalog: %w", err)
	}
	return raw, inventory.Digest(raw), nil
}

// roomFor is about how long the JSON of a catalog is, in bytes.
func roomFor(c policies.Catalog) int {
	const besides = 256 // address, source and the like
	room := besides
	for i := range c.Resources {
		room += len(c.Resources[i].Attributes) + besides
	}
	return room
}

// run is one compilation: a scope and the instances made so far.
type run struct {
	*scope
	instances []*instance
	byBlock   map[string][]*instance
	full      bool

	// The attributes of one instance, and their JSON, until they are put together.
	given  map[string]json.RawMessage
	room   []byte
	sorted []string
}

// instance is one resource of the catalog in the making.
type instance struct {
	policies.Resource
	from     *resource
	typed    modules.Resource
	names    *names
	priority int
	into     *instance // the instance that it was merged into, or lost against
	merged   bool
}

func newRun(c *Config, in Input, static bool) *run {
	return &run{scope: newScope(c, in, static), byBlock: map[string][]*instance{}, given: map[string]json.RawMessage{}}
}

func (r *run) all() {
	for _, name := range sortedKeys(r.cfg.policies) {
		r.policy(r.cfg.policies[name])
	}
}

func (s *scope) memberships() []string {
	groups := []string{}
	for _, name := range sortedKeys(s.cfg.groups) {
		if s.member1(s.cfg.groups[name]) {
			groups = append(groups, name)
		}
	}
	return groups
}

// check evaluates everything with unknown facts, which finds what is wrong on every host.
func (c *Config) check() hcl.Diagnostics {
	r := newRun(c, Input{}, true)
	r.memberships()
	for _, name := range sortedKeys(c.variables) {
		_, diags := r.named("var", name, c.variables[name].at)
		r.report(diags...)
	}
	for _, name := range sortedKeys(c.locals) {
		_, diags := r.named("local", name, c.locals[name].at)
		r.report(diags...)
	}
	r.givenValues(c.values)
	for _, name := range sortedKeys(c.groups) {
		r.givenValues(c.groups[name].vars)
	}
	for _, name := range sortedKeys(c.hosts) {
		r.givenValues(c.hosts[name].vars)
	}
	r.all()
	r.freezes()
	r.waiversKnown()
	r.terms(nil)
	r.emergencies()
	r.report(c.resolve()...)
	r.written() // for its cycles
	return r.diags
}

func (s *scope) givenValues(all map[string]*named) {
	for _, name := range sortedKeys(all) {
		if v := s.cfg.variables[name]; v != nil {
			s.assign(v, all[name])
		}
	}
}

// standing is what a policy says for all of its resources.
type standing struct {
	applicable bool
	mode       policies.Mode
	severity   string
	priority   int
}

func (r *run) policy(p *policy) {
	applies := true
	if e := p.meta["applies_to"]; e != nil {
		yes, known := r.truth(r.eval(e, nil), e, "The applies_to of a policy")
		applies = yes || !known
	}
	if !applies && !r.static {
		return
	}
	now := standing{applicable: true, mode: policies.Enforce}
	if e := p.meta["when"]; e != nil {
		yes, known := r.truth(r.eval(e, nil), e, "The when of a policy")
		now.applicable = yes || !known || r.static
	}
	for _, name := range []string{"title", "description"} {
		r.text(p.meta[name], nil)
	}
	r.release(p.meta["version"])
	now.mode = r.mode(p.meta["mode"], nil, now.mode)
	now.severity = r.severity(p.meta["severity"], nil)
	now.priority = r.whole(p.meta["priority"], nil, -1_000_000, 1_000_000)
	for _, one := range p.resources {
		r.resource(one, now)
	}
}

func (r *run) resource(one *resource, now standing) {
	if one.settled && !r.static {
		r.again(one, now)
		return
	}
	if now.applicable {
		made, diags := len(r.instances), len(r.diags)
		if r.expand(one, now); r.static {
			r.keep(one, made, diags)
		}
		return
	}
	// What does not apply may read facts that this host lacks.
	before, known := len(r.diags), cloneKnown(r.known)
	made := len(r.instances)
	r.expand(one, now)
	if r.diags[before:].HasErrors() {
		r.diags, r.known = r.diags[:before], known
		r.instances = r.instances[:made]
		r.byBlock[one.block] = nil
		r.add(r.bare(one, "", now))
	}
}

func cloneKnown(known map[string]cty.Value) map[string]cty.Value {
	out := make(map[string]cty.Value, len(known))
	for key, v := range known {
		out[key] = v
	}
	return out
}

// bare is the entry of an instance before any of its expressions is evaluated.
func (r *run) bare(one *resource, key string, now standing) *instance {
	return &instance{from: one, priority: now.priority, Resource: policies.Resource{
		Address: one.block + key, Kind: one.kind.Name, Check: one.kind.Check, Policy: one.policy.name, Mode: now.mode,
		Severity: now.severity, NotApplicable: !now.applicable, Attributes: json.RawMessage("{}"), Source: position(one.at),
	}}
}

func (r *run) add(i *instance) {
	if len(r.instances) >= maxResources {
		if !r.full {
			r.report(failure(i.from.at, "Too many resources", fmt.Sprintf("A host may have %d resources. Put many small files into one archive or one folder resource.", maxResources)))
		}
		r.full = true
		return
	}
	r.instances = append(r.instances, i)
	block := i.from.block
	r.byBlock[block] = append(r.byBlock[block], i)
}

func (r *run) instance(one *resource, key string, extra *names, now standing) {
	if r.full {
		return
	}
	i := r.bare(one, key, now)
	i.names = extra
	if e := one.meta["when"]; e != nil {
		yes, known := r.truth(r.eval(e, extra), e, "The when of a resource")
		i.NotApplicable = i.NotApplicable || (known && !yes && !r.static)
	}
	r.meta(i)
	if !i.NotApplicable {
		r.attributes(i)
	}
	r.keys(i)
	r.add(i)
}

// keys checks the keys of references, which are only put to use when all instances are there.
func (r *run) keys(i *instance) {
	if !r.static {
		return
	}
	for _, word := range refNames {
		for _, ref := range i.from.refs[word] {
			if ref.key != nil {
				r.eval(ref.key, i.names)
			}
		}
	}
}

func (r *run) meta(i *instance) {
	meta, extra := i.from.meta, i.names
	i.Title = r.text(meta["title"], extra)
	r.text(meta["rationale"], extra)
	i.Mode = r.mode(meta["mode"], extra, i.Mode)
	if word := r.severity(meta["severity"], extra); word != "" {
		i.Severity = word
	}
	i.Controls = r.controls(meta["controls"], extra)
	i.Tags = unique(r.texts(meta["tags"], extra))
	i.Window = i.from.windows
	i.Timeout = r.seconds(meta["timeout"], extra)
	if retry := i.from.retry; retry["attempts"] != nil {
		i.Retry = &policies.Retry{Attempts: r.whole(retry["attempts"], extra, 1, 100), Delay: r.seconds(retry["delay"], extra)}
	}
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

func quote(s string) string {
	raw, err := json.Marshal(s)
	if err != nil {
		return `"` + strings.ToValidUTF8(s, "") + `"`
	}
	return string(raw)
}
