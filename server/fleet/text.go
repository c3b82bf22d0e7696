package fleet

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// checkText looks over JSON before it is decoded: well-formed text, no control characters in
// it, no deep nesting. Whether it is JSON at all, the decoder says.
func checkText(raw []byte) error {
	if !utf8.Valid(raw) {
		return errors.New("it is not UTF-8")
	}
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		switch {
		case c == '"':
			quoted = !quoted
		case quoted && (c < ' ' || c == 0x7f || isBad(raw[i:])):
			return fmt.Errorf("a text in it has a control character, at byte %d", i)
		case quoted && c == '\\':
			i++ // what is escaped does not end the text
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("it is nested deeper than %d", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

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
