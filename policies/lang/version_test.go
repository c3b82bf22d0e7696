package lang

import (
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
)

// FuzzVersion compares with a library.
func FuzzVersion(f *testing.F) {
	for _, text := range []string{"1.4.0", "2.0.0-rc.1", "1.0.0+build.5-x", "1.0.0-a+b", "01.0.0", "1.0", "1.0.0-", "1.0.0-01", "1.0.0+01", "1.0.0-0a",
		"18446744073709551616.0.0", "1.-2.0", "1.0.0+a+b", "1.0.+0", "", "1.2.3.4", "v1.0.0", "1.+2.3", "1.0-a.0", "1.0.0-ä", "1.0.0-" + strings.Repeat("a", 250), "1.0.0-" + strings.Repeat("a", 251)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := semver.StrictNewVersion(text)
		if got := isVersion(text); got != (err == nil) {
			t.Errorf("isVersion(%q) = %t, and the library says %v", text, got, err)
		}
	})
}
