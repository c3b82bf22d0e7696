package fleet

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// elementDepth is how deep the resources of a result lie: in an array, which is in an object.
const elementDepth = 2

// checkText looks over JSON before it is decoded: well-formed text, no control characters in it, no
// deep nesting. Whether it is JSON at all, the decoder says.
func checkText(raw []byte) error {
	if !utf8.Valid(raw) {
		return errors.New("it is not UTF-8")
	}
	_, err := scan(raw, 0, math.MinInt)
	return err
}

// scan goes on at a depth of JSON until something ends at another one, or all does, and tells where.
func scan(raw []byte, depth, until int) (end int, err error) {
	quoted := false
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if plain[c] {
			continue // nearly all of it
		}
		switch {
		case c == '"':
			quoted = !quoted
		case quoted && (c < ' ' || c == 0x7f || isBad(raw[i:])):
			return i, fmt.Errorf("a text in it has a control character, at byte %d", i)
		case quoted && c == '\\':
			i++ // what is escaped does not end the text
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return i, fmt.Errorf("it is nested deeper than %d", maxDepth)
			}
		case c == '}' || c == ']':
			if depth--; depth == until {
				return i + 1, nil
			}
		}
	}
	return len(raw), nil
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
