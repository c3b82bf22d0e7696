package lang

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/hashicorp/hcl/v2"
)

// scanJSON is scanNative for a file in JSON syntax. Each of its strings is a template.
func scanJSON(src []byte, name string) hcl.Diagnostics {
	if at := deepJSON(src); at >= 0 {
		return hcl.Diagnostics{failure(lineRange(src, name, at), "Nesting too deep",
			"JSON may be nested 64 levels deep. Give parts of it names in a locals block and use those.")}
	}
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.UseNumber()
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) || err != nil {
			return nil // the parser reports what is wrong
		}
		if diags := scanJSONToken(token, lineRange(src, name, int(dec.InputOffset()))); diags.HasErrors() {
			return diags
		}
	}
}

func scanJSONToken(token json.Token, at hcl.Range) hcl.Diagnostics {
	switch v := token.(type) {
	case string:
		return scanTemplate([]byte(v), at.Filename, at.Start)
	case json.Number:
		if !saneNumber([]byte(v)) {
			return hcl.Diagnostics{failure(at, "Number out of range", "This number is too large or too long. Quote it if it is meant as text.")}
		}
	}
	return nil
}

// deepJSON returns the offset at which brackets outside of strings nest too deep, or -1.
func deepJSON(src []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(src); i++ {
		switch c := src[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxNesting {
				return i
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return -1
}

// lineRange is the range of the one byte at the offset.
func lineRange(src []byte, name string, at int) hcl.Range {
	at = min(at, len(src))
	before := src[:at]
	start := hcl.Pos{Byte: at, Line: 1 + bytes.Count(before, []byte("\n")), Column: at - bytes.LastIndexByte(before, '\n')}
	end := start
	end.Byte, end.Column = min(at+1, len(src)), end.Column+1
	return hcl.Range{Filename: name, Start: start, End: end}
}
