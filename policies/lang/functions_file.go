package lang

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// fileFunctions read the policy tree and nothing else: paths count from its root.
func (s *scope) fileFunctions() map[string]function.Function {
	return map[string]function.Function{
		"file":         textFunc(s.readText),
		"filebase64":   textFunc(s.read64),
		"fileexists":   s.fileExistsFunc(),
		"fileset":      s.filesetFunc(),
		"templatefile": s.templateFunc(),
	}
}

// inTree returns the clean path of a file in the tree.
func (c *Config) inTree(name string) (string, error) {
	clean := path.Clean(name)
	if path.IsAbs(name) || !fs.ValidPath(clean) {
		return "", fmt.Errorf("%q lies outside of the policy repository", name)
	}
	if _, ok := c.tree[clean]; ok {
		return clean, nil
	}
	detail := fmt.Sprintf("the policy repository has no file %q.", clean)
	if hint := c.hint(clean); hint != "" {
		detail += hint
	}
	return "", errors.New(strings.TrimSuffix(detail, "."))
}

// hint knows the usual mistake, a path that counts from the file instead of the root.
func (c *Config) hint(clean string) string {
	names := slices.Sorted(maps.Keys(c.tree))
	for _, name := range names {
		if strings.HasSuffix(name, "/"+clean) {
			return fmt.Sprintf(" Did you mean %q? Paths count from the root of the repository; ${path.module} is the folder of the file that is being read.", name)
		}
	}
	return suggest(clean, names)
}

func (s *scope) readText(name string) (string, error) {
	clean, err := s.cfg.inTree(name)
	if err != nil {
		return "", err
	}
	raw := s.cfg.tree[clean]
	if len(raw) > maxText {
		return "", fmt.Errorf("%s has %d bytes; 1 MiB is the most that an expression can read. Use the source attribute for it", clean, len(raw))
	}
	if !utf8.Valid(raw) {
		return "", fmt.Errorf("%s is not UTF-8 text; use filebase64 or the source attribute", clean)
	}
	return string(raw), nil
}

func (s *scope) read64(name string) (string, error) {
	clean, err := s.cfg.inTree(name)
	if err != nil {
		return "", err
	}
	if len(s.cfg.tree[clean]) > maxText/4*3 {
		return "", fmt.Errorf("%s has %d bytes; 768 KiB is the most for filebase64", clean, len(s.cfg.tree[clean]))
	}
	return base64.StdEncoding.EncodeToString(s.cfg.tree[clean]), nil
}

func (s *scope) fileExistsFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("path", cty.String)},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			_, ok := s.cfg.tree[path.Clean(args[0].AsString())]
			return cty.BoolVal(ok), nil
		},
	})
}

func (s *scope) filesetFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{param("folder", cty.String), param("pattern", cty.String)},
		Type:   function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(args []cty.Value, want cty.Type) (cty.Value, error) {
			names, err := s.glob(args[0].AsString(), args[1].AsString())
			if err != nil {
				return cty.UnknownVal(want), err
			}
			if len(names) == 0 {
				return cty.SetValEmpty(cty.String), nil
			}
			return cty.SetVal(names), nil
		},
	})
}

// glob returns the files below the folder whose path within it matches. As in Terraform,
// a pattern that starts with **/ looks into all folders.
func (s *scope) glob(folder, pattern string) ([]cty.Value, error) {
	folder = path.Clean(folder)
	deep := strings.HasPrefix(pattern, "**/")
	pattern = strings.TrimPrefix(pattern, "**/")
	if _, err := path.Match(pattern, ""); err != nil || strings.Contains(pattern, "**") {
		return nil, fmt.Errorf("%q is not a usable pattern: write *, ?, [a-z], and **/ only in front", pattern)
	}
	names := []cty.Value{}
	for name := range s.cfg.tree {
		within, ok := strings.CutPrefix(name, folder+"/")
		if folder == "." {
			within, ok = name, true
		}
		if ok && globMatch(pattern, within, deep) {
			names = append(names, cty.StringVal(within))
		}
	}
	return names, nil
}

func globMatch(pattern, name string, deep bool) bool {
	for {
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
		_, rest, more := strings.Cut(name, "/")
		if !deep || !more {
			return false
		}
		name = rest
	}
}

func (s *scope) templateFunc() function.Function {
	vars := function.Parameter{Name: "vars", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true}
	return function.New(&function.Spec{
		Params: []function.Parameter{param("path", cty.String), vars},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return s.renderFile(args[0].AsString(), args[1])
		},
	})
}

func (s *scope) renderFile(name string, vars cty.Value) (cty.Value, error) {
	template, err := s.template(name)
	if err != nil {
		return cty.UnknownVal(cty.String), err
	}
	if !vars.IsKnown() {
		return cty.UnknownVal(cty.String), nil
	}
	ctx, err := s.templateContext(vars)
	if err != nil {
		return cty.UnknownVal(cty.String), err
	}
	v, diags := value(template, ctx)
	if diags.HasErrors() {
		return cty.UnknownVal(cty.String), templateError(diags)
	}
	return asText(v)
}

func asText(v cty.Value) (cty.Value, error) {
	plain, marks := v.Unmark()
	if !plain.IsKnown() {
		return cty.UnknownVal(cty.String).WithMarks(marks), nil
	}
	if plain.IsNull() || !plain.Type().IsPrimitiveType() {
		return cty.UnknownVal(cty.String), errors.New("the template does not give text")
	}
	return toText(plain).WithMarks(marks), nil
}

func templateError(diags hcl.Diagnostics) error {
	d := diags[0]
	if d.Subject == nil {
		return errors.New(d.Summary + ": " + d.Detail)
	}
	return fmt.Errorf("%s:%d,%d: %s: %s", d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column, d.Summary, d.Detail)
}

// template parses a template once for each host.
func (s *scope) template(name string) (hclsyntax.Expression, error) {
	clean, err := s.cfg.inTree(name)
	if err != nil {
		return nil, err
	}
	if done, ok := s.templates[clean]; ok {
		return done, nil
	}
	src := s.cfg.tree[clean]
	if len(src) > maxFileBytes {
		return nil, fmt.Errorf("the template %s has %d bytes; 64 KiB is the most", clean, len(src))
	}
	if diags := scanTemplate(src, clean, hcl.InitialPos); diags.HasErrors() {
		return nil, templateError(diags)
	}
	template, diags := hclsyntax.ParseTemplate(src, clean, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, templateError(diags)
	}
	bind(template)
	s.templates[clean] = template
	return template, nil
}

// templateContext gives a template its variables and all functions but templatefile.
func (s *scope) templateContext(vars cty.Value) (*hcl.EvalContext, error) {
	plain, marks := vars.Unmark()
	t := plain.Type()
	if plain.IsNull() || !(t.IsObjectType() || t.IsMapType() || t == cty.DynamicPseudoType) {
		return nil, errors.New("the second argument must be an object with the template's variables")
	}
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: s.templateFuncs()}
	if plain.IsKnown() && plain.CanIterateElements() {
		for it := plain.ElementIterator(); it.Next(); {
			key, one := it.Element()
			ctx.Variables[key.AsString()] = one.WithMarks(marks)
		}
	}
	ctx.Variables[budgetName] = cty.CapsuleVal(budgetType, s.budget)
	return ctx, nil
}

func (s *scope) templateFuncs() map[string]function.Function {
	if s.inner == nil {
		s.inner = maps.Clone(s.library())
		delete(s.inner, "templatefile")
	}
	return s.inner
}
