package people

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a password. There are no rules about which characters it has to have: they make
// passwords harder to keep in mind, and hardly harder to guess (NIST SP 800-63B).
const (
	LeastPassword = 12 // characters
	mostPassword  = 1024
)

//go:embed common.txt
var common string

// CheckPassword tells what is wrong with a new password for the account.
func CheckPassword(account, password string) error {
	switch {
	case len(password) > mostPassword:
		return unfitPassword(fmt.Sprintf("the password is longer than %d bytes", mostPassword))
	case utf8.RuneCountInString(normal(password)) < LeastPassword:
		return unfitPassword(fmt.Sprintf("the password is shorter than %d characters", LeastPassword))
	case isCommon(password):
		return unfitPassword("the password is one of those that are tried first")
	case core(account) != "" && core(password) == core(account), strings.EqualFold(password, strings.Repeat(account, repeats(account, password))):
		return unfitPassword("the password is hardly more than the account's name")
	}
	return nil
}

func unfitPassword(text string) error {
	return &Refusal{Kind: Unfit, Text: text, Hint: fmt.Sprintf("choose at least %d characters, such as four words that have nothing to do with each other", LeastPassword)}
}

func repeats(account, password string) int {
	if account == "" {
		return 0
	}
	return len(password) / len(account)
}

// core is what a guesser tries and then puts figures and signs around: the letters.
func core(password string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, password)
}

// isCommon looks a password up in the list, as it is and without what is put around it, and
// finds those that are one character, or a few in a row, over and over.
func isCommon(password string) bool {
	lower, letters := strings.ToLower(password), core(password)
	for word := range strings.Lines(common) {
		if word = strings.TrimSpace(word); word != "" && (lower == word || letters == word) {
			return true
		}
	}
	return repeated(lower) || stepwise(lower)
}

// repeated finds a piece of up to four characters that is all there is.
func repeated(text string) bool {
	for size := 1; size <= 4 && size < len(text); size++ {
		if strings.Repeat(text[:size], len(text)/size+1)[:len(text)] == text {
			return true
		}
	}
	return false
}

// stepwise finds figures or letters in their order, such as 123456789012.
func stepwise(text string) bool {
	for i := 1; i < len(text); i++ {
		step := int(text[i]) - int(text[i-1])
		if step != 1 && !(text[i-1] == '9' && text[i] == '0') {
			return false
		}
	}
	return true
}

var accountName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// CheckName tells whether a local account can have the name. People from a provider have an @ in
// theirs, so that neither can pass for the other.
func CheckName(name string) error {
	if accountName.MatchString(name) {
		return nil
	}
	return &Refusal{Kind: Unfit, Text: fmt.Sprintf("the account name %q is not usable", name), Hint: "use up to 63 small letters, digits, dots, dashes and underscores"}
}
