package canon

import (
	"math/bits"
	"unicode/utf8"
)

// plainByte is true for what stands in a JSON string as it is, in the HTML-safe form of
// encoding/json.
var plainByte = func() (table [256]bool) {
	for b := ' '; b < utf8.RuneSelf; b++ {
		table[b] = b != '"' && b != '\\' && b != '<' && b != '>' && b != '&'
	}
	return table
}()

// plainUntil returns where the plain bytes from start on end. It looks at eight of them at a time:
// most of a catalog is the content of files.
func plainUntil[T string | []byte](s T, start int) int {
	i := start
	for ; i+8 <= len(s); i += 8 {
		if found := strange(eight(s[i:])); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(s) && plainByte[s[i]] {
		i++
	}
	return i
}

func eight[T string | []byte](s T) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// strange sets the high bit of the first byte that is not plain, and of none before it. What it says
// of the bytes behind that one may be wrong.
func strange(w uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	zero := func(x uint64) uint64 { return (x - ones) &^ x }
	found := w | (w-' '*ones)&^w // beyond ASCII, or below a space
	found |= zero(w ^ '\\'*ones)
	found |= zero((w | 4*ones) ^ '&'*ones) // & and ", which differ in one bit
	found |= zero((w | 2*ones) ^ '>'*ones) // > and <
	return found & highs
}
