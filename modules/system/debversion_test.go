package system

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

// versions that real archives and unkind people write.
var someVersions = []string{
	"0", "1", "1.0", "1.0-1", "1.0-1+b1", "1.0~rc1-1", "1.0~~", "1.0~", "1.0+dfsg-1", "1:0.9", "2:1.0",
	"2.36-9+deb12u9", "2.36-9+deb12u10", "1.0-1~bpo12+1", "1.0-1ubuntu0.1", "1.0-1ubuntu0.1~esm1",
	"1.2.3a", "1.2.3", "1.2.03", "9.2p1-2+deb12u3", "1.0-0", "20241115", "1.0.a-1", "1.0.-1",
	"1.999999999999999999", "1.100000000000000000", "0~git20241115123456.abc-1",
}

func dpkgOrder(a, b string) (int, error) {
	for op, order := range map[string]int{"lt": -1, "eq": 0, "gt": 1} {
		if exec.Command("dpkg", "--compare-versions", a, op, b).Run() == nil {
			return order, nil
		}
	}
	return 0, fmt.Errorf("dpkg cannot order %s and %s", a, b)
}

func TestCompareDebVersionsAsDpkg(t *testing.T) {
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skipf("needs dpkg: %v", err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	list := append([]string{}, someVersions...)
	for len(list) < 40 {
		list = append(list, randomVersion(r))
	}
	for i := range 400 {
		a, b := list[r.IntN(len(list))], list[r.IntN(len(list))]
		if i < len(someVersions) {
			a, b = someVersions[i], someVersions[(i+1)%len(someVersions)]
		}
		want, err := dpkgOrder(a, b)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := CompareDebVersions(a, b); err != nil || got != want {
			t.Errorf("CompareDebVersions(%q, %q) = %d, %v, dpkg says %d", a, b, got, err, want)
		}
	}
}

func TestCompareDebVersionsRefuses(t *testing.T) {
	for _, bad := range []string{"", "x", "a:1", "1.99999999999999999999999", "1 2"} {
		if got, err := CompareDebVersions(bad, "1"); err == nil {
			t.Errorf("CompareDebVersions(%q, 1) = %d, want an error", bad, got)
		}
		if got, err := CompareDebVersions("1", bad); err == nil {
			t.Errorf("CompareDebVersions(1, %q) = %d, want an error", bad, got)
		}
	}
}

func randomVersion(r *rand.Rand) string {
	const alphabet = "0123456789abz.+~"
	var b strings.Builder
	b.WriteByte('1')
	for range 1 + r.IntN(8) {
		b.WriteByte(alphabet[r.IntN(len(alphabet))])
	}
	return b.String() + fmt.Sprintf("-%d", r.IntN(3))
}

func TestDebConstraint(t *testing.T) {
	cases := map[string]struct {
		constraint, version string
		want                bool
	}{
		"none":            {"", "1", true},
		"exact":           {"1.0-1", "1.0-1", true},
		"exact sign":      {"= 1.0-1", "1.0-2", false},
		"same order":      {"1.0", "1.00", true},
		"security update": {">= 2.36-9+deb12u10", "2.36-9+deb12u9", false},
		"range":           {">= 1.2, < 2", "1.9", true},
		"end of range":    {">= 1.2, < 2", "2", false},
		"tilde is before": {">= 1.2, < 2", "2~rc1", true},
		"without tildes":  {">= 1.2, < 2~", "2~rc1", false},
		"not":             {"!= 1.3", "1.3", false},
		"epoch":           {"> 5", "1:0.1", true},
		"at most":         {"<= 1", "1", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			parsed, err := ParseDebConstraint(c.constraint)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := parsed.Match(c.version); err != nil || got != c.want {
				t.Errorf("%q matches %q = %t, %v, want %t", c.constraint, c.version, got, err, c.want)
			}
		})
	}
	for _, bad := range []string{">=", ", ", "1 2", ">= x", "~> 1.2", "1,"} {
		if c, err := ParseDebConstraint(bad); err == nil {
			t.Errorf("ParseDebConstraint(%q) = %+v, want an error", bad, c)
		}
	}
}

func FuzzParseDebConstraint(f *testing.F) {
	f.Add(">= 1.2, < 2", "1.3")
	f.Add("=1:2~", "1:2")
	f.Fuzz(func(t *testing.T, text, version string) {
		c, err := ParseDebConstraint(text)
		if err != nil {
			return
		}
		if exact, ok := c.Exact(); ok {
			if same, err := c.Match(exact); err != nil || !same {
				t.Errorf("%q does not match its own version %q: %v", text, exact, err)
			}
		}
		_, _ = c.Match(version)
	})
}
