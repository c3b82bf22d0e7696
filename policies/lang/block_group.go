package lang

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// sample takes a share of a group by the hash of the host's name: the same hosts each month.
type sample struct {
	of, per hclsyntax.Expression
	percent float64
	seed    string
}

// holds tells whether the host's hash falls into the share.
func (s *sample) holds(host, per string) bool {
	sum := sha256.Sum256([]byte(s.seed + "\x00" + per + "\x00" + host))
	share := float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
	return share*100 < s.percent
}

func readGroup(l *loader, block *hcl.Block) {
	g := &group{name: l.label(block), at: block.DefRange}
	content := l.content(block.Body, []string{"title", "match", "exclude", "vars", "priority", "protect", "min_size"}, hcl.BlockHeaderSchema{Type: "sample"})
	exprs := expressions(content)
	g.match, g.exclude, g.vars = exprs["match"], exprs["exclude"], l.object(content.Attributes["vars"])
	g.priority = l.number(exprs["priority"], -1_000_000, 1_000_000)
	for _, name := range []string{"protect", "min_size"} {
		if e := exprs[name]; e != nil {
			l.report(failure(e.Range(), "Not supported yet", fmt.Sprintf("The argument %q is part of the policy language, but this version of Plumb (%s) does not support it yet.", name, Version)))
		}
	}
	for i, one := range content.Blocks {
		if i > 0 {
			l.report(failure(one.DefRange, "Duplicate block", "A group takes one sample. Make a second group for another one."))
			continue
		}
		g.sample = l.sample(g, one)
	}
	if (g.match == nil) == (g.sample == nil) {
		l.report(failure(block.DefRange, "Group without one rule", "A group has either match, an expression that is true for its members, or a sample block."))
	}
	if first := l.cfg.groups[g.name]; first != nil {
		l.report(duplicate("group", g.name, block.DefRange, first.at))
		return
	}
	l.cfg.groups[g.name] = g
}

func (l *loader) sample(g *group, block *hcl.Block) *sample {
	exprs := expressions(l.content(block.Body, []string{"of", "percent", "seed", "per"}))
	one := &sample{of: exprs["of"], per: exprs["per"], seed: g.name}
	if exprs["seed"] != nil {
		one.seed, _ = l.constant(exprs["seed"])
	}
	if exprs["percent"] == nil {
		l.report(failure(block.DefRange, "Missing percent", "A sample says which share of the hosts it takes: percent = 5."))
		return one
	}
	one.percent = l.float(exprs["percent"], 0, 100)
	return one
}

func (l *loader) number(e hclsyntax.Expression, least, most float64) int {
	f := l.float(e, least, most)
	if f != float64(int(f)) {
		l.report(failure(e.Range(), "Number out of range", "This must be a whole number."))
	}
	return int(f)
}

func (l *loader) float(e hclsyntax.Expression, least, most float64) float64 {
	if e == nil {
		return 0
	}
	v, diags := e.Value(nil)
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type() != cty.Number {
		l.report(failure(e.Range(), "Constant wanted", "Only a number can stand here, because it is read before anything is evaluated."))
		return 0
	}
	f, _ := v.AsBigFloat().Float64()
	if f < least || f > most {
		l.report(failure(e.Range(), "Number out of range", fmt.Sprintf("This must be a number from %g to %g.", least, most)))
		return least
	}
	return f
}

// member1 tells whether the host is in the group.
func (s *scope) member1(g *group) bool {
	v, diags := s.named("group", g.name, g.at)
	s.report(diags...)
	return v.IsKnown() && !v.IsNull() && v.Type() == cty.Bool && v.True()
}

func (s *scope) group(g *group) cty.Value {
	in := true
	if g.match != nil {
		in = s.condition(g.match, nil, "The match of a group")
	}
	if g.sample != nil {
		in = s.sampled(g)
	}
	out := g.exclude != nil && s.excluded(g.exclude)
	if s.static {
		return cty.UnknownVal(cty.Bool)
	}
	return cty.BoolVal(in && !out)
}

func (s *scope) sampled(g *group) bool {
	in, per := true, ""
	if g.sample.of != nil {
		in = s.condition(g.sample.of, nil, "The of of a sample")
	}
	if g.sample.per != nil {
		v, err := convert.Convert(s.eval(g.sample.per, nil), cty.String)
		if err != nil || v.IsMarked() {
			s.report(failure(g.sample.per.Range(), "Wrong type of value", "The per of a sample is text, such as host.labels.site: the share is taken anew for each of its values."))
			return false
		}
		per = text(v)
	}
	if s.static {
		return false
	}
	s.reads[readSample+g.name] = true
	return in && g.sample.holds(s.in.Host.Name, per)
}

// excluded takes a condition, or a list of them of which one is enough.
func (s *scope) excluded(e hclsyntax.Expression) bool {
	list, ok := e.(*hclsyntax.TupleConsExpr)
	if !ok {
		return s.condition(e, nil, "The exclude of a group")
	}
	out := false
	for _, one := range list.Exprs {
		out = s.condition(one, nil, "The exclude of a group") || out
	}
	return out
}

// condition evaluates to true or false; it is false when that is not known.
func (s *scope) condition(e hclsyntax.Expression, extra *names, what string) bool {
	yes, _ := s.truth(s.eval(e, extra), e, what)
	return yes
}

// truth returns what a value says, and whether it says anything: unknown values do not.
func (s *scope) truth(v cty.Value, e hclsyntax.Expression, what string) (yes, known bool) {
	plain, marks := v.Unmark()
	done, err := convert.Convert(plain, cty.Bool)
	switch {
	case err != nil || plain.IsNull():
		s.report(failure(e.Range(), "Wrong type of value", what+" must be true or false."))
		return false, false
	case len(marks) > 0 && what != "A validation's condition":
		s.report(failure(e.Range(), "Sensitive value not allowed", what+" would give a secret away, because what follows from it is shown. Use a value that is not sensitive, or nonsensitive(…)."))
		return false, false
	case !done.IsKnown():
		return false, false
	}
	return done.True(), true
}
