package fleet

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// elementDepth is how deep the resources of a result lie: in an array, which is in an object.
const elementDepth = 2

// elementsOf looks over JSON before it is decoded: well-formed text, no control characters in it, no
// deep nesting. Whether it is JSON at all, the decoder says. It tells the places behind what ends at
// elementDepth.
func elementsOf(raw []byte) (ends []int, err error) {
	if !utf8.Valid(raw) {
		return nil, errors.New("it is not UTF-8")
	}
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if plain[c] {
			continue // nearly all of it
		}
		switch {
		case c == '"':
			quoted = !quoted
		case quoted && (c < ' ' || c == 0x7f || isBad(raw[i:])):
			return nil, fmt.Errorf("a text in it has a control character, at byte %d", i)
		case quoted && c == '\\':
			i++ // what is escaped does not end the text
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return nil, fmt.Errorf("it is nested deeper than %d", maxDepth)
			}
		case c == '}' || c == ']':
			if depth--; depth == elementDepth {
				ends = append(ends, i+1)
			}
		}
	}
	return ends, nil
}

// plain are the bytes that mean nothing by themselves, wherever they stand.
var plain = func() (set [256]bool) {
	for c := range set {
		set[c] = c >= ' ' && c != 0x7f && c != 0xc2 && !strings.ContainsRune(`"\{}[]`, rune(c))
	}
	return set
}()

// isBad tells whether the text goes on with a control character, plain (two bytes, from
// U+0080 to U+009F) or escaped. Tab and the ends of lines are fine.
func isBad(text []byte) bool {
	if len(text) < 2 {
		return false
	}
	if text[0] == 0xc2 {
		return text[1] < 0xa0
	}
	if text[0] != '\\' {
		return false
	}
	if text[1] != 'u' || len(text) < 6 {
		return text[1] == 'b' || text[1] == 'f'
	}
	r, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return false // no JSON: the decoder says so
	}
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r >= 0x7f && r < 0xa0
}
