package lang

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// guard bounds what goes into a function and what comes out of it, and keeps sensitive
// arguments out of its errors.
func (s *scope) guard(name string, f function.Function) function.Function {
	spec := &function.Spec{Description: f.Description(), Params: f.Params()}
	for i := range spec.Params {
		spec.Params[i].AllowMarked = true // f itself takes the marks off and puts them on again
	}
	if spec.VarParam = f.VarParam(); spec.VarParam != nil {
		spec.VarParam.AllowMarked = true
	}
	spec.Type = func(args []cty.Value) (cty.Type, error) {
		if err := s.budget.admit(name, args); err != nil {
			return cty.DynamicPseudoType, err
		}
		t, err := f.ReturnTypeForValues(args)
		return t, discreet(err, args)
	}
	spec.Impl = func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		v, err := f.Call(args)
		if err != nil {
			return v, discreet(err, args)
		}
		return v, measure(v)
	}
	return function.New(spec)
}

// discreet replaces an error that could quote a sensitive argument.
func discreet(err error, args []cty.Value) error {
	if err == nil || !slices.ContainsFunc(args, cty.Value.ContainsMarked) {
		return err
	}
	return errors.New("it does not accept these arguments; one of them is sensitive, so more is not said")
}

// measure returns an error when a value is past the limits. It stops at the first excess,
// so a value that shares its parts a million times costs no more than the limit.
func measure(v cty.Value) error {
	_, err := weigh(v)
	return err
}

// weigh also returns how large the value is: its text, and 32 bytes for each value in it.
func weigh(v cty.Value) (int64, error) {
	m := measurer{nodes: maxNodes, text: maxValueText}
	err := m.value(v, 0)
	return int64(maxNodes-m.nodes)*32 + int64(maxValueText-m.text), err
}

type measurer struct{ nodes, text int }

func (m *measurer) value(v cty.Value, depth int) error {
	v, _ = v.Unmark()
	if m.nodes--; m.nodes < 0 {
		return fmt.Errorf("the result has more than %d values in it", maxNodes)
	}
	if v.IsNull() || !v.IsKnown() || v.Type().IsCapsuleType() {
		return nil
	}
	switch {
	case depth > maxNesting:
		return fmt.Errorf("the result is nested more than %d levels deep", maxNesting)
	case v.Type() == cty.String:
		return m.string(v.AsString())
	case v.Type() == cty.Number:
		return number(v.AsBigFloat())
	case !v.CanIterateElements():
		return nil
	case v.LengthInt() > maxElements:
		return fmt.Errorf("the result has %d elements; %d is the most", v.LengthInt(), maxElements)
	}
	for it := v.ElementIterator(); it.Next(); {
		key, one := it.Element()
		if key.Type() == cty.String && key.IsKnown() {
			k, _ := key.Unmark()
			m.text -= len(k.AsString())
		}
		if err := m.value(one, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (m *measurer) string(s string) error {
	if len(s) > maxText {
		return fmt.Errorf("the result has a string of %d bytes; 1 MiB is the most", len(s))
	}
	if m.text -= len(s); m.text < 0 {
		return errors.New("the result has more than 8 MiB of text")
	}
	return nil
}

func number(n *big.Float) error {
	if exponent := n.MantExp(nil); n.IsInf() || exponent > maxExponent || exponent < -maxExponent {
		return errors.New("the number is out of range")
	}
	return nil
}

// admit measures the arguments, and refuses calls whose result would be far larger than they
// are: the function would fill the memory before its result could be measured.
func (b *budget) admit(name string, args []cty.Value) error {
	total := 0
	for _, one := range args {
		weight, err := weigh(one)
		if err != nil {
			return errors.New(strings.Replace(err.Error(), "the result", "an argument", 1))
		}
		if b.work -= weight; b.work < 0 {
			return errors.New("the functions of one host may take in 4 GiB in all. Call them once, and give the result a name in a locals block")
		}
		total += len(text(one))
	}
	if grow := growth(name, args); grow > maxText {
		return fmt.Errorf("the result could have %d bytes or elements; that is too much", grow)
	}
	return nil
}

// growth guesses from above how large the result of a function can get.
func growth(name string, args []cty.Value) int {
	switch {
	case name == "replace" && len(args) == 3:
		return replaceGrowth(text(args[0]), text(args[1]), text(args[2]))
	case name == "join" && len(args) > 1:
		return joinGrowth(args)
	case name == "format" || name == "formatlist":
		return formatGrowth(args)
	case name == "indent" && len(args) == 2:
		return whole(args[0]) * (1 + strings.Count(text(args[1]), "\n"))
	case name == "setproduct":
		return productGrowth(args)
	case name == "jsondecode" && len(args) == 1 && deepJSON([]byte(text(args[0]))) >= 0:
		return maxText + 1
	case (name == "cidrsubnet" || name == "cidrhost" || name == "pow") && len(args) > 1:
		return 0
	}
	return 0
}

func replaceGrowth(s, old, with string) int {
	if pattern, ok := slashed(old); ok {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return 0
		}
		return len(s) + len(re.FindAllStringIndex(s, -1))*len(with) + strings.Count(with, "$")*len(s)
	}
	return len(s) + strings.Count(s, old)*len(with)
}

func joinGrowth(args []cty.Value) int {
	size, sep := 0, len(text(args[0]))
	for _, list := range args[1:] {
		for _, one := range elements(list) {
			size += len(text(one)) + sep
		}
	}
	return size
}

var wideVerb = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`%[^a-zA-Z%]*[0-9]{4,}`) })

// formatGrowth: with formatlist the longest list multiplies all that is given as it is.
// A width or precision of four digits is refused, and each verb may print the longest argument.
func formatGrowth(args []cty.Value) int {
	if len(args) == 0 || wideVerb().MatchString(text(args[0])) {
		return len(args) * (maxText + 1)
	}
	lists, longest, form := 1, 0, text(args[0])
	for _, one := range args[1:] {
		longest = max(longest, len(text(one)))
		for i, part := range elements(one) {
			lists = max(lists, i+1)
			longest = max(longest, len(text(part)))
		}
	}
	return lists * (len(form) + strings.Count(form, "%")*longest) / formatShare
}

// formatShare allows formatlist a result of 8 MiB, as any value; one string of 1 MiB is
// the most all the same, which is measured afterwards.
const formatShare = maxValueText / maxText

func productGrowth(args []cty.Value) int {
	size := 1
	for _, one := range args {
		if size *= len(elements(one)); size > maxText {
			return size
		}
	}
	if size > maxElements {
		return maxText + size
	}
	return size
}

func text(v cty.Value) string {
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return ""
	}
	return v.AsString()
}

func whole(v cty.Value) int {
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() || v.Type() != cty.Number {
		return 0
	}
	n, err := strconv.Atoi(v.AsBigFloat().Text('f', 0))
	if err != nil || n > maxText || n < -maxText {
		return maxText + 1
	}
	return n
}

func elements(v cty.Value) []cty.Value {
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() || !v.CanIterateElements() {
		return nil
	}
	return v.AsValueSlice()
}
