package lang

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// scanner counts nesting in the tokens of a file before any parser sees them: the parser of
// hcl calls itself for each level, and Go cannot recover from a stack that overflows.
type scanner struct {
	levels []level
	nest   int // brackets and what else makes the parser call itself
	chain  int // what makes only the evaluation call itself
	prev   hclsyntax.Token
	issue  *hcl.Diagnostic
}

// level is what stands between one pair of brackets.
type level struct {
	open        hclsyntax.TokenType
	nest, chain int
	fors        int
	isFor       bool
}

// scanNative returns a diagnostic when a file in native syntax is past the limits.
func scanNative(src []byte, name string) hcl.Diagnostics {
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	return scanTokens(tokens)
}

// scanTemplate does the same for a template.
func scanTemplate(src []byte, name string, start hcl.Pos) hcl.Diagnostics {
	tokens, _ := hclsyntax.LexTemplate(src, name, start)
	return scanTokens(tokens)
}

func scanTokens(tokens hclsyntax.Tokens) hcl.Diagnostics {
	s := &scanner{levels: []level{{}}}
	for i, t := range tokens {
		s.token(t, next(tokens[i+1:]))
		if s.issue != nil {
			return hcl.Diagnostics{s.issue}
		}
		if t.Type != hclsyntax.TokenNewline && t.Type != hclsyntax.TokenComment {
			s.prev = t
		}
	}
	return nil
}

func next(rest hclsyntax.Tokens) hclsyntax.Token {
	for _, t := range rest {
		if t.Type != hclsyntax.TokenNewline && t.Type != hclsyntax.TokenComment {
			return t
		}
	}
	return hclsyntax.Token{}
}

func (s *scanner) top() *level { return &s.levels[len(s.levels)-1] }

func (s *scanner) token(t, following hclsyntax.Token) {
	switch t.Type {
	case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote,
		hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		s.open(t, following)
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
		hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
		s.close(t)
	case hclsyntax.TokenComma:
		s.reset()
	case hclsyntax.TokenNewline:
		s.newline()
	case hclsyntax.TokenNumberLit:
		s.number(t)
	default:
		s.operator(t)
	}
	s.judge(t)
}

func (s *scanner) open(t, following hclsyntax.Token) {
	if t.Type == hclsyntax.TokenTemplateControl {
		s.directive(string(following.Bytes))
	}
	if t.Type == hclsyntax.TokenOBrack && s.afterValue() {
		s.top().nest++
		s.nest++
	}
	isFor := string(following.Bytes) == "for" &&
		(t.Type == hclsyntax.TokenOBrack || t.Type == hclsyntax.TokenOBrace)
	one := level{open: t.Type, isFor: isFor}
	if isFor {
		one.fors = 1
	}
	s.levels = append(s.levels, one)
	s.nest++
}

// directive counts %{ if } and %{ for }, which stay open until their end directive.
func (s *scanner) directive(word string) {
	step := map[string]int{"if": 1, "for": 1, "endif": -1, "endfor": -1}[word]
	s.top().nest += step
	s.nest += step
	if word == "for" || word == "endfor" {
		s.top().fors += step
	}
}

var closers = map[hclsyntax.TokenType][]hclsyntax.TokenType{
	hclsyntax.TokenCBrace:         {hclsyntax.TokenOBrace},
	hclsyntax.TokenCBrack:         {hclsyntax.TokenOBrack},
	hclsyntax.TokenCParen:         {hclsyntax.TokenOParen},
	hclsyntax.TokenCQuote:         {hclsyntax.TokenOQuote},
	hclsyntax.TokenCHeredoc:       {hclsyntax.TokenOHeredoc},
	hclsyntax.TokenTemplateSeqEnd: {hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl},
}

// close ignores a closer that does not match: the parser reports it, and a stack that only
// grows is on the safe side.
func (s *scanner) close(t hclsyntax.Token) {
	if len(s.levels) == 1 {
		return
	}
	for _, want := range closers[t.Type] {
		if s.top().open == want {
			s.reset()
			s.nest--
			s.levels = s.levels[:len(s.levels)-1]
			return
		}
	}
}

func (s *scanner) reset() {
	one := s.top()
	s.nest, s.chain = s.nest-one.nest, s.chain-one.chain
	one.nest, one.chain = 0, 0
}

// newline ends an expression only in a body or an object, and not after an operator.
func (s *scanner) newline() {
	one := s.top()
	ends := one.open == 0 || (one.open == hclsyntax.TokenOBrace && !one.isFor)
	if ends && !isOperator(s.prev.Type) {
		s.reset()
	}
}

func (s *scanner) operator(t hclsyntax.Token) {
	if !isOperator(t.Type) {
		return
	}
	unary := t.Type == hclsyntax.TokenBang || (t.Type == hclsyntax.TokenMinus && !s.afterValue())
	splat := t.Type == hclsyntax.TokenStar && !s.afterValue()
	if unary || splat || t.Type == hclsyntax.TokenQuestion {
		s.top().nest++
		s.nest++
		return
	}
	s.top().chain++
	s.chain++
}

func (s *scanner) afterValue() bool {
	switch s.prev.Type {
	case hclsyntax.TokenIdent, hclsyntax.TokenNumberLit, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc,
		hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCBrace, hclsyntax.TokenStar:
		return true
	}
	return false
}

func isOperator(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPlus, hclsyntax.TokenMinus,
		hclsyntax.TokenPercent, hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan,
		hclsyntax.TokenLessThanEq, hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq,
		hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenBang, hclsyntax.TokenDot,
		hclsyntax.TokenQuestion, hclsyntax.TokenDoubleColon:
		return true
	}
	return false
}

func (s *scanner) judge(t hclsyntax.Token) {
	fors := 0
	for _, one := range s.levels {
		fors += one.fors
	}
	switch {
	case s.nest > maxNesting || s.chain > maxChain:
		s.issue = failure(t.Range, "Nesting too deep", fmt.Sprintf("An expression or block may be nested %d levels deep and have %d operators. "+
			"Give parts of it names in a locals block and use those.", maxNesting, maxChain))
	case fors > maxForDepth:
		s.issue = failure(t.Range, "Too many nested for expressions", fmt.Sprintf("At most %d for expressions may stand within each other, "+
			"because each one multiplies the work of those inside it. Give the inner part a name in a locals block.", maxForDepth))
	}
}

func (s *scanner) number(t hclsyntax.Token) {
	if !saneNumber(t.Bytes) {
		s.issue = failure(t.Range, "Number out of range",
			"This number is too large or too long. Write a number that a 64-bit float can hold, or quote it if it is meant as text.")
	}
}

// saneNumber keeps out numbers such as 1e999999999, whose text alone would fill the memory.
func saneNumber(text []byte) bool {
	if len(text) > maxNumberText {
		return false
	}
	i := bytes.IndexAny(text, "eE")
	if i < 0 {
		return true
	}
	exponent, err := strconv.Atoi(string(text[i+1:]))
	return err == nil && exponent <= 300 && exponent >= -300
}
