package system

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxDebLine bounds one line of a package list, in bytes. The longest in Debian has 60 KiB.
const maxDebLine = 1 << 20

// scanStanzas calls take for each field of each stanza of Debian's control format, and end
// after each stanza. Continuation lines are passed over: no field that we read has any. A
// stanza for which want says no, asked with its first field, is skipped without a call.
func scanStanzas(r io.Reader, want func(field, value []byte) bool, take func(field string, value []byte), end func()) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxDebLine)
	first, skip := true, false
	for lines.Scan() {
		line := lines.Bytes()
		if len(bytes.TrimSpace(line)) == 0 {
			if !first && !skip {
				end()
			}
			first, skip = true, false
			continue
		}
		field, value, ok := bytes.Cut(line, []byte(":"))
		if skip || !ok || line[0] == ' ' || line[0] == '\t' {
			continue
		}
		value = bytes.TrimSpace(value)
		if first {
			first = false
			if skip = !want(field, value); skip {
				continue
			}
		}
		take(string(field), value)
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return errors.New("a line of it is too long")
	}
	if !first && !skip {
		end()
	}
	return lines.Err()
}
