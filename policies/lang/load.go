package lang

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"

	"plumb/modules"
	"plumb/policies"
	"plumb/policies/bundle"
)

// Load parses and checks a whole policy tree. It returns all mistakes in one go; with an
// error among them the Config is of no use.
func Load(tree bundle.Tree) (*Config, []policies.Problem) {
	return load(tree, modules.Kinds())
}

func load(tree bundle.Tree, kinds []modules.Kind) (c *Config, problems []policies.Problem) {
	c = newConfig(tree, kinds)
	defer func() {
		if r := recover(); r != nil {
			problems = []policies.Problem{internalProblem(r)}
		}
	}()
	l := &loader{cfg: c, kinds: map[word]vocabulary{}, parsed: parseAll(tree)}
	for _, name := range sortedKeys(tree) {
		if isConfig(name) {
			l.file(name)
		}
	}
	l.known()
	l.ringsKnown()
	l.windowsKnown()
	l.ringsOpen()
	l.baselinesKnown()
	l.diags = append(l.diags, l.believable(c.check())...)
	return c, c.flatten(l.diags, "")
}

// declared are the mistakes that may come from a declaration in a file that could not be read.
var declared = map[string]bool{
	"Unknown variable": true, "Unknown local value": true, "Unknown group": true, "Unknown resource": true, "Unknown name": true,
	"Unknown instance": true, "Unknown window": true, "Unknown control": true, "Unknown patch baseline": true, "Variable without a value": true, "Incomplete reference": true,
}

// believable leaves out what is only wrong because another file could not be read. All other
// mistakes are shown at once, so that nobody has to mend and push twice.
func (l *loader) believable(diags hcl.Diagnostics) hcl.Diagnostics {
	if !l.unread {
		return diags
	}
	return slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool { return declared[d.Summary] })
}

// Syntax returns what is wrong with the form of one file, without a look at what it means.
func Syntax(src []byte, filename string) []policies.Problem {
	c := newConfig(bundle.Tree{filename: src}, nil)
	_, diags := parse(src, filename)
	return c.flatten(diags, "")
}

func internalProblem(cause any) policies.Problem {
	return policies.Problem{Severity: "error", Summary: internalSummary,
		Detail: fmt.Sprintf("The compiler met something that it did not expect: %v. This is a mistake of Plumb, please report it with the policy.", cause)}
}

const internalSummary = "Internal error of the compiler"

// isConfig tells whether a file of the tree is part of the configuration; tests are not.
func isConfig(name string) bool {
	base := strings.TrimSuffix(name, ".json")
	return strings.HasSuffix(base, ".hcl") && !strings.HasSuffix(base, ".test.hcl")
}

// loader reads the blocks of all files into a Config.
type loader struct {
	cfg    *Config
	diags  hcl.Diagnostics
	kinds  map[word]vocabulary
	parsed map[string]parsed
	unread bool // a file could not be parsed: what it declares is not known

	ringGroups []named     // groups that rings name
	windowUses []windowRef // windows that resources and rings name
	ringUses   []ringUse   // what rings need of their windows

	baselineUses []named // patch baselines that rollouts carry
}

func (l *loader) report(diags ...*hcl.Diagnostic) { l.diags = append(l.diags, diags...) }

func (l *loader) file(name string) {
	file, diags := l.parsed[name].file, l.parsed[name].diags
	l.report(diags...)
	if diags.HasErrors() {
		l.unread = true
	}
	if file == nil {
		return
	}
	if l.cfg.files[name] = file; !diags.HasErrors() {
		l.body(file.Body)
	}
}

// parse refuses what is past the limits before a parser sees it.
func parse(src []byte, name string) (*hcl.File, hcl.Diagnostics) {
	if len(src) > maxFileBytes {
		return nil, hcl.Diagnostics{failure(lineRange(nil, name, 0), "File too large",
			fmt.Sprintf("The file has %d bytes; 64 KiB is the most. Split it: all files of the repository form one configuration.", len(src)))}
	}
	if strings.HasSuffix(name, ".json") {
		if diags := scanJSON(src, name); diags.HasErrors() {
			return nil, diags
		}
		return json.Parse(src, name)
	}
	if diags := scanNative(src, name); diags.HasErrors() {
		return nil, diags
	}
	return hclsyntax.ParseConfig(src, name, hcl.InitialPos)
}

func (l *loader) body(body hcl.Body) {
	content, diags := body.Content(rootSchema())
	l.report(diags...)
	if content == nil {
		return
	}
	for _, block := range content.Blocks {
		for _, one := range blocks() {
			if one.name == block.Type {
				one.read(l, block)
			}
		}
	}
}

// attributes returns those of a body that has nothing else, as expressions by name.
func (l *loader) attributes(body hcl.Body) []*named {
	attrs, diags := body.JustAttributes()
	l.report(diags...)
	list := []*named{}
	for _, name := range sortedKeys(attrs) {
		list = append(list, &named{name: name, expr: syntax(attrs[name].Expr), at: attrs[name].NameRange})
	}
	return list
}

// content reads a body with the attributes and blocks given, and reports all else.
func (l *loader) content(body hcl.Body, attrs []string, blocks ...hcl.BlockHeaderSchema) *hcl.BodyContent {
	schema := &hcl.BodySchema{Blocks: blocks}
	for _, name := range attrs {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name})
	}
	content, diags := body.Content(schema)
	l.report(diags...)
	return content
}

func expressions(content *hcl.BodyContent) map[string]hclsyntax.Expression {
	all := map[string]hclsyntax.Expression{}
	for name, attr := range content.Attributes {
		all[name] = syntax(attr.Expr)
	}
	return all
}

// object returns the items of an object that is written out, by key.
func (l *loader) object(attr *hcl.Attribute) map[string]*named {
	all := map[string]*named{}
	if attr == nil {
		return all
	}
	pairs, diags := hcl.ExprMap(syntax(attr.Expr))
	l.report(diags...)
	for _, pair := range pairs {
		key, diags := pair.Key.Value(nil)
		l.report(diags...)
		name := text(key)
		if name == "" || diags.HasErrors() {
			continue
		}
		if all[name] != nil {
			l.report(failure(pair.Key.Range(), "Duplicate key", fmt.Sprintf("%q stands here twice. Take one of them out.", name)))
		}
		all[name] = &named{name: name, expr: syntax(pair.Value), at: pair.Key.Range()}
	}
	return all
}

// label returns the last label of a block, after a check that it can be part of a reference.
func (l *loader) label(block *hcl.Block) string {
	name := block.Labels[len(block.Labels)-1]
	if !hclsyntax.ValidIdentifier(name) {
		l.report(failure(block.LabelRanges[len(block.LabelRanges)-1], "Unusable name",
			fmt.Sprintf("%q cannot be part of a reference. A name starts with a letter, and has letters, digits, _ and -.", name)))
	}
	return name
}

func duplicate(what, name string, at, first hcl.Range) *hcl.Diagnostic {
	return failure(at, "Duplicate declaration", fmt.Sprintf("The %s %q is declared at %s:%d already. All files of the repository form one configuration, so give one of them another name.",
		what, name, first.Filename, first.Start.Line))
}
