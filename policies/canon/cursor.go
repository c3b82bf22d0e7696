package canon

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// cursor walks over JSON without white space. Its methods take what they are named after, and
// return false where something else stands; then all is lost, for they may have gone on halfway.
type cursor struct {
	raw   []byte
	at    int
	words map[string]string // short texts that were met, which mostly come again; nil outside of lists
}

const (
	maxWord  = 16
	maxWords = 64
	maxDepth = 200 // encoding/json takes more
)

func (c *cursor) peek() byte {
	if c.at < len(c.raw) {
		return c.raw[c.at]
	}
	return 0
}

func (c *cursor) take(b byte) bool {
	if c.at < len(c.raw) && c.raw[c.at] == b {
		c.at++
		return true
	}
	return false
}

func (c *cursor) word(word string) bool {
	if len(c.raw)-c.at >= len(word) && string(c.raw[c.at:c.at+len(word)]) == word {
		c.at += len(word)
		return true
	}
	return false
}

func (c *cursor) boolean() (yes, ok bool) {
	if c.word("true") {
		return true, true
	}
	return false, c.word("false")
}

// maxDigits are always within an int64.
const maxDigits = 18

func (c *cursor) whole() (int64, bool) {
	start := c.at
	c.take('-')
	first := c.at
	for c.at < len(c.raw) && c.raw[c.at] >= '0' && c.raw[c.at] <= '9' {
		c.at++
	}
	digits := c.at - first
	if digits == 0 || digits > maxDigits || digits > 1 && c.raw[first] == '0' {
		return 0, false
	}
	if b := c.peek(); b == '.' || b == 'e' || b == 'E' {
		return 0, false
	}
	n, err := strconv.ParseInt(string(c.raw[start:c.at]), 10, 64)
	return n, err == nil
}

// span goes over a string and returns what stands between its quotes, and whether it has escapes.
func (c *cursor) span() (inner []byte, escaped, ok bool) {
	if !c.take('"') {
		return nil, false, false
	}
	start := c.at
	for {
		if c.at = plainUntil(c.raw, c.at); c.at == len(c.raw) {
			return nil, false, false
		}
		b := c.raw[c.at]
		switch {
		case b == '"':
			c.at++
			return c.raw[start : c.at-1], escaped, true
		case b == '\\':
			if escaped = true; !c.escape() {
				return nil, false, false
			}
		case b >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(c.raw[c.at:])
			if r == utf8.RuneError || r == '\u2028' || r == '\u2029' {
				return nil, false, false
			}
			c.at += size
		default:
			return nil, false, false
		}
	}
}

// escape goes over one escape of those that [unescape] knows.
func (c *cursor) escape() bool {
	rest := c.raw[c.at:]
	if len(rest) < 2 {
		return false
	}
	if shortRune(rest[1]) != 0 {
		c.at += 2
		return true
	}
	_, ok := codeOf(rest)
	c.at += codeLength
	return ok
}

func shortRune(b byte) byte {
	switch b {
	case '"', '\\':
		return b
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'r':
		return '\r'
	}
	return 0
}

const codeLength = len(`\u003c`)

// codeOf reads an escape of a character below U+0080, which is how encoding/json writes <, > and &.
func codeOf(rest []byte) (byte, bool) {
	if len(rest) < codeLength || string(rest[:4]) != `\u00` {
		return 0, false
	}
	n, err := strconv.ParseUint(string(rest[4:codeLength]), 16, 8)
	return byte(n), err == nil && n < utf8.RuneSelf
}

func unescape(inner []byte) string {
	var out strings.Builder
	out.Grow(len(inner))
	for {
		i := bytes.IndexByte(inner, '\\')
		if i < 0 {
			out.Write(inner)
			return out.String()
		}
		out.Write(inner[:i])
		inner = inner[i:]
		if short := shortRune(inner[1]); short != 0 {
			out.WriteByte(short)
			inner = inner[2:]
			continue
		}
		b, _ := codeOf(inner)
		out.WriteByte(b)
		inner = inner[codeLength:]
	}
}

func (c *cursor) text() (string, bool) {
	inner, escaped, ok := c.span()
	switch {
	case !ok:
		return "", false
	case escaped:
		return unescape(inner), true
	case len(inner) > maxWord:
		return string(inner), true
	}
	return c.known(inner), true
}

// known returns one and the same string for short texts that are equal.
func (c *cursor) known(inner []byte) string {
	if s, ok := c.words[string(inner)]; ok {
		return s
	}
	s := string(inner)
	if c.words != nil && len(c.words) < maxWords {
		c.words[s] = s
	}
	return s
}

func (c *cursor) key() ([]byte, bool) {
	inner, escaped, ok := c.span()
	return inner, ok && !escaped
}

// guess is how many more elements a list may have, seen from the size of those that were read.
func (c *cursor) guess(read int) int {
	if read < 4 {
		return 4
	}
	return (len(c.raw)-c.at)/(c.at/read+1) + 1
}

// skip goes over one value of any kind.
func (c *cursor) skip(depth int) bool {
	if depth > maxDepth {
		return false
	}
	switch b := c.peek(); {
	case b == '"':
		_, _, ok := c.span()
		return ok
	case b == '{':
		return c.skipObject(depth)
	case b == '[':
		return c.skipList(depth)
	case b == '-' || b >= '0' && b <= '9':
		_, ok := c.whole()
		return ok
	}
	return c.word("true") || c.word("false") || c.word("null")
}

func (c *cursor) skipObject(depth int) bool {
	c.at++
	for first := true; !c.take('}'); first = false {
		if !first && !c.take(',') {
			return false
		}
		if _, _, ok := c.span(); !ok || !c.take(':') || !c.skip(depth+1) {
			return false
		}
	}
	return true
}

func (c *cursor) skipList(depth int) bool {
	c.at++
	for first := true; !c.take(']'); first = false {
		if !first && !c.take(',') {
			return false
		}
		if !c.skip(depth + 1) {
			return false
		}
	}
	return true
}
