package lang

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// scope evaluates the expressions of one host. Variables, locals and groups are worked out
// when they are first read and then remembered. A static scope has no host: facts and
// variables are unknown values of the right type, so that evaluation is a type check.
type scope struct {
	cfg       *Config
	in        Input
	static    bool
	fact      cty.Value
	host      cty.Value
	block     *host // the host block of this host, or nil
	known     map[string]cty.Value
	active    []string
	reads     map[string]bool
	budget    *budget
	funcs     map[string]function.Function // see library
	inner     map[string]function.Function
	templates map[string]hclsyntax.Expression
	mentions  map[hclsyntax.Expression][]hcl.Traversal // what expressions name
	diags     hcl.Diagnostics

	ownOf *names           // of the newest instance
	own   *hcl.EvalContext // with nothing but those, which most of its expressions read
}

// names are a further root that an expression may read, such as each; nil is none.
type names struct {
	root  string
	value cty.Value
}

func (n *names) has(root string) bool { return n != nil && n.root == root }

func newScope(c *Config, in Input, static bool) *scope {
	s := &scope{cfg: c, in: in, static: static, known: map[string]cty.Value{}, reads: map[string]bool{},
		budget: newBudget(), templates: map[string]hclsyntax.Expression{}, mentions: map[hclsyntax.Expression][]hcl.Traversal{}}
	if static {
		s.host = unknownHost()
		return s
	}
	s.block = c.hosts[in.Host.Name]
	if len(c.hosts) > 0 {
		s.reads[readBlock] = true
	}
	s.host = hostValue(in.Host, s.block)
	return s
}

// facts is what fact stands for. Many policies never ask.
func (s *scope) facts() cty.Value {
	if s.fact == cty.NilVal && s.static {
		s.fact = unknownFacts()
	} else if s.fact == cty.NilVal {
		s.fact = factValue(s.in.Facts)
	}
	return s.fact
}

func (s *scope) report(diags ...*hcl.Diagnostic) { s.diags = append(s.diags, diags...) }

func (s *scope) failed() bool { return s.diags.HasErrors() }

// eval returns the value of an expression that stands in a file of the folder. What is wrong
// is reported, and the value is unknown then.
func (s *scope) eval(e hclsyntax.Expression, extra *names) cty.Value {
	if v, ok := literal(e); ok {
		return v
	}
	v, diags := s.try(e, extra)
	s.report(diags...)
	if diags.HasErrors() {
		return cty.DynamicVal
	}
	return v
}

func (s *scope) try(e hclsyntax.Expression, extra *names) (cty.Value, hcl.Diagnostics) {
	ctx, diags := s.context(e, extra)
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	v, diags := value(e, ctx)
	if diags.HasErrors() {
		return cty.DynamicVal, s.explain(e, diags)
	}
	if measured(e) {
		return v, nil
	}
	if err := measure(v); err != nil {
		return cty.DynamicVal, hcl.Diagnostics{failure(e.Range(), "Value too large", "This cannot be used: "+err.Error()+".")}
	}
	return v, nil
}

// measured tells whether the value is that of a function, which measures it itself. Those that do not
// are in [scope.functions].
func measured(e hclsyntax.Expression) bool {
	call, ok := e.(*hclsyntax.FunctionCallExpr)
	return ok && call.Name != "try" && call.Name != "can"
}

// context holds exactly what the expression names.
func (s *scope) context(e hclsyntax.Expression, extra *names) (*hcl.EvalContext, hcl.Diagnostics) {
	if s.readsOnly(e, extra) {
		return s.ownContext(extra), nil
	}
	vars := map[string]cty.Value{budgetName: cty.CapsuleVal(budgetType, s.budget)}
	var members map[string]map[string]cty.Value // most expressions name none
	var diags hcl.Diagnostics
	for _, t := range s.variables(e) {
		root := t.RootName()
		if extra.has(root) {
			vars[root] = extra.value
			continue
		}
		switch root {
		case "fact":
			s.read(t)
			vars[root] = s.facts()
		case "host":
			s.read(t)
			vars[root] = s.host
		case "path":
			vars[root] = pathValue(e.Range().Filename)
		case "var", "local", "group":
			if members == nil {
				members = map[string]map[string]cty.Value{}
			}
			diags = append(diags, s.member(members, t)...)
		default:
			diags = append(diags, s.cfg.unknownName(t))
		}
	}
	for root, values := range members {
		vars[root] = cty.ObjectVal(values)
	}
	return &hcl.EvalContext{Variables: vars, Functions: s.library()}, diags
}

// readsOnly tells whether the expression reads these names, and nothing else.
func (s *scope) readsOnly(e hclsyntax.Expression, extra *names) bool {
	all := s.variables(e)
	return len(all) > 0 && !slices.ContainsFunc(all, func(t hcl.Traversal) bool { return !extra.has(t.RootName()) })
}

// ownContext holds the names of an instance, once for all of its expressions.
func (s *scope) ownContext(own *names) *hcl.EvalContext {
	if s.ownOf != own {
		vars := map[string]cty.Value{budgetName: cty.CapsuleVal(budgetType, s.budget), own.root: own.value}
		s.ownOf, s.own = own, &hcl.EvalContext{Variables: vars, Functions: s.library()}
	}
	return s.own
}

// variables are those of the expression, which is asked once for each of its instances.
func (s *scope) variables(e hclsyntax.Expression) []hcl.Traversal {
	all, ok := s.mentions[e]
	if !ok {
		all = e.Variables()
		s.mentions[e] = all
	}
	return all
}

// member puts one variable, local or group into the object of its root.
func (s *scope) member(members map[string]map[string]cty.Value, t hcl.Traversal) hcl.Diagnostics {
	root := t.RootName()
	if members[root] == nil {
		members[root] = map[string]cty.Value{}
	}
	if len(t) < 2 {
		return hcl.Diagnostics{failure(t.SourceRange(), "Incomplete reference", fmt.Sprintf("Write %s. and a name behind it.", root))}
	}
	attr, ok := t[1].(hcl.TraverseAttr)
	if !ok {
		return hcl.Diagnostics{failure(t.SourceRange(), "Incomplete reference", fmt.Sprintf("%s cannot be indexed. Write %s. and a name behind it.", root, root))}
	}
	v, diags := s.named(root, attr.Name, t.SourceRange())
	members[root][attr.Name] = v
	return diags
}

// named returns the value of var.x, local.x or group.x, and works it out when it is the first to ask.
func (s *scope) named(root, name string, at hcl.Range) (cty.Value, hcl.Diagnostics) {
	full := root + "." + name
	if v, ok := s.known[full]; ok {
		return v, nil
	}
	if !s.cfg.declares(root, name) {
		return cty.DynamicVal, hcl.Diagnostics{s.cfg.undeclared(root, name, at)}
	}
	if i := slices.Index(s.active, full); i >= 0 {
		path := strings.Join(append(slices.Clone(s.active[i:]), full), " → ")
		return cty.DynamicVal, hcl.Diagnostics{failure(at, "Circular reference",
			"The value is needed to work out itself: "+path+". Take one of these references out.")}
	}
	if len(s.active) >= maxReferences {
		return cty.DynamicVal, hcl.Diagnostics{failure(at, "References nested too deeply",
			fmt.Sprintf("A chain of values that read each other may have %d links.", maxReferences))}
	}
	s.active = append(s.active, full)
	v := s.work(root, name)
	s.active = s.active[:len(s.active)-1]
	s.known[full] = v
	return v, nil
}

func (s *scope) work(root, name string) cty.Value {
	switch root {
	case "var":
		return s.variable(s.cfg.variables[name])
	case "local":
		return s.eval(s.cfg.locals[name].expr, nil)
	default:
		return s.group(s.cfg.groups[name])
	}
}

func (c *Config) declares(root, name string) bool {
	switch root {
	case "var":
		return c.variables[name] != nil
	case "local":
		return c.locals[name] != nil
	default:
		return c.groups[name] != nil
	}
}

func (c *Config) undeclared(root, name string, at hcl.Range) *hcl.Diagnostic {
	switch root {
	case "var":
		return failure(at, "Unknown variable", fmt.Sprintf("There is no variable %q.%s Declare it with a block: variable %q {}.",
			name, suggest(name, slices.Sorted(maps.Keys(c.variables))), name))
	case "local":
		return failure(at, "Unknown local value", fmt.Sprintf("No locals block has %q.%s", name, suggest(name, slices.Sorted(maps.Keys(c.locals)))))
	default:
		return failure(at, "Unknown group", fmt.Sprintf("There is no group %q.%s Declare it with a block: group %q {}.",
			name, suggest(name, slices.Sorted(maps.Keys(c.groups))), name))
	}
}

var roots = []string{"fact", "host", "var", "local", "group", "path", "each", "count"}

func (c *Config) unknownName(t hcl.Traversal) *hcl.Diagnostic {
	root := t.RootName()
	switch {
	case root == "each" || root == "count":
		return failure(t.SourceRange(), "Name not available here", fmt.Sprintf("%s is only there in a resource with %s.",
			root, map[string]string{"each": "for_each", "count": "count"}[root]))
	case root == "module":
		return failure(t.SourceRange(), "Not supported yet", "This version of Plumb does not know module blocks yet, so there is nothing to read from one.")
	case c.isKind(root) || root == "policy":
		return failure(t.SourceRange(), "Reference to a resource", "An expression cannot read what another resource holds: it is only known on the host, when all is compiled. "+
			"Resources are named in depends_on, before, notify and subscribe; values that several of them need belong into locals.")
	}
	return failure(t.SourceRange(), "Unknown name", fmt.Sprintf("There is nothing called %q.%s Expressions read fact, host, var, local, group and path; text needs quotes.",
		root, suggest(root, roots)))
}
