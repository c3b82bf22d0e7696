package lang

import (
	"strconv"
	"strings"
)

// isVersion tells whether a text is a version by semver.org: three numbers, and what may stand behind them. The library
// that our tests compare it with compiles six patterns at the start of each process.
func isVersion(text string) bool {
	const most = 256 // bytes
	if len(text) > most {
		return false
	}
	text, build, hasBuild := strings.Cut(text, "+")
	text, before, hasBefore := strings.Cut(text, "-")
	numbers := strings.Split(text, ".")
	if len(numbers) != 3 {
		return false
	}
	for _, one := range numbers {
		if _, err := strconv.ParseUint(one, 10, 64); err != nil || !isNumber(one) {
			return false
		}
	}
	return (!hasBuild || areWords(build, isWord)) && (!hasBefore || areWords(before, func(one string) bool { return isNumber(one) || isWord(one) && !allDigits(one) }))
}

func areWords(text string, good func(string) bool) bool {
	for one := range strings.SplitSeq(text, ".") {
		if !good(one) {
			return false
		}
	}
	return true
}

// isNumber tells whether a text is a number without a zero in front.
func isNumber(s string) bool { return allDigits(s) && (len(s) == 1 || s[0] != '0') }

func allDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}
