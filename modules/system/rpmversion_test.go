package system

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCompareRPMVersions(t *testing.T) {
	cases := map[string]struct {
		a, b string
		want int
	}{
		"equal":                        {"1.0", "1.0", 0},
		"newer number":                 {"2.0", "1.0", 1},
		"longer":                       {"2.0.1", "2.0", 1},
		"letters after a number":       {"2.0.1a", "2.0.1", 1},
		"letters in their order":       {"5.5p1", "5.5p2", -1},
		"numbers, not texts":           {"5.5p10", "5.5p2", 1},
		"number over letters":          {"10xyz", "10.1xyz", -1},
		"letters below a number":       {"xyz.4", "8", -1},
		"letters below, other way":     {"xyz.4", "2", -1},
		"zeros in front":               {"1.0010", "1.10", 0},
		"many zeros":                   {"1.05", "1.5", 0},
		"a separator is no difference": {"2_0", "2.0", 0},
		"a separator at the end":       {"fc4.", "fc.4", 0},
		"only separators are left":     {"1.0+", "1.0", 0},
		"tilde before the end":         {"1.0~rc1", "1.0", -1},
		"tilde before tilde":           {"1.0~rc1", "1.0~rc2", -1},
		"two tildes":                   {"1.0~rc1~git123", "1.0~rc1", -1},
		"caret after the end":          {"1.0^", "1.0", 1},
		"caret with a snapshot":        {"1.0^git1", "1.0", 1},
		"caret before what follows":    {"1.0^git1", "1.01", -1},
		"caret before a longer one":    {"1.0^20160101", "1.0.1", -1},
		"caret and tilde":              {"1.0~rc1^git1", "1.0~rc1", 1},
		"tilde in a snapshot":          {"1.0^git1~pre", "1.0^git1", -1},
		"epoch first":                  {"1:0.1-1", "2.0-9", 1},
		"epoch 0 is none":              {"0:1.0-1", "1.0-1", 0},
		"epochs are numbers":           {"10:1", "9:2", 1},
		"release":                      {"1.0-1.el9", "1.0-2.el9", -1},
		"release of a rebuild":         {"1.0-1.el9_4.1", "1.0-1.el9_4", 1},
		"no release is older":          {"1.0", "1.0-1", -1},
		"a number beyond an int":       {"1.99999999999999999999999", "1.100000000000000000000000", -1},
		"kernel":                       {"5.14.0-427.13.1.el9_4", "5.14.0-427.9.1.el9_4", 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got, err := CompareRPMVersions(c.a, c.b); err != nil || got != c.want {
				t.Errorf("CompareRPMVersions(%q, %q) = %d, %v, want %d", c.a, c.b, got, err, c.want)
			}
			if got, err := CompareRPMVersions(c.b, c.a); err != nil || got != -c.want {
				t.Errorf("CompareRPMVersions(%q, %q) = %d, %v, want %d", c.b, c.a, got, err, -c.want)
			}
		})
	}
}

func TestCompareRPMVersionsRefuses(t *testing.T) {
	for _, bad := range []string{"", "1:", "-1", "1:-1", "1 2", "1\n", "1.0é", strings.Repeat("1", rpmVersionLimit+1)} {
		if got, err := CompareRPMVersions(bad, "1"); err == nil {
			t.Errorf("CompareRPMVersions(%q, 1) = %d, want an error", bad, got)
		}
		if got, err := CompareRPMVersions("1", bad); err == nil {
			t.Errorf("CompareRPMVersions(1, %q) = %d, want an error", bad, got)
		}
	}
}

// TestCompareRPMVersionsAsRPM asks rpm itself. One call orders many versions.
func TestCompareRPMVersionsAsRPM(t *testing.T) {
	if _, err := exec.LookPath("rpm"); err != nil {
		t.Skip("needs rpm: it has the last word on its versions")
	}
	r := rand.New(rand.NewPCG(3, 4))
	pairs := make([][2]string, 2000)
	var ask strings.Builder
	for i := range pairs {
		pairs[i] = [2]string{randomRPMVersion(r), randomRPMVersion(r)}
		fmt.Fprintf(&ask, "print(rpm.vercmp('%s', '%s') .. ' ')\n", pairs[i][0], pairs[i][1])
	}
	out, err := exec.Command("rpm", "--eval", "%{lua:"+ask.String()+"}").Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := strings.Fields(string(out))
	if len(answers) != len(pairs) {
		t.Fatalf("rpm gave %d answers to %d questions", len(answers), len(pairs))
	}
	for i, p := range pairs {
		if got, err := CompareRPMVersions(p[0], p[1]); err != nil || fmt.Sprint(got) != answers[i] {
			t.Errorf("CompareRPMVersions(%q, %q) = %d, %v, rpm says %s", p[0], p[1], got, err, answers[i])
		}
	}
}

// randomRPMVersion writes short versions of few signs, so that many pairs are nearly equal.
func randomRPMVersion(r *rand.Rand) string {
	const signs = "0012ab.+_~^"
	text := []string{"", "", "", "0:", "1:", "01:"}[r.IntN(6)] + string("1a0"[r.IntN(3)])
	for range r.IntN(5) {
		text += string(signs[r.IntN(len(signs))])
	}
	return text + []string{"", "-1", "-1", "-2", "-1.b", "-1~"}[r.IntN(6)]
}

// rpmVersions draws versions of few signs, so that they meet often.
func rpmVersions() *rapid.Generator[string] {
	return rapid.StringMatching(`([0-9]{1,2}:)?[0-9a-b][0-9ab.~^+]{0,5}(-[0-9ab.~^]{0,3})?`)
}

func TestCompareRPMVersionsIsAnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := rpmVersions().Draw(t, "a"), rpmVersions().Draw(t, "b"), rpmVersions().Draw(t, "c")
		ab, ba, bc, ac := orderRPM(t, a, b), orderRPM(t, b, a), orderRPM(t, b, c), orderRPM(t, a, c)
		if ab != -ba {
			t.Errorf("%q to %q is %d, but the other way round %d", a, b, ab, ba)
		}
		if orderRPM(t, a, a) != 0 {
			t.Errorf("%q is not equal to itself", a)
		}
		if ab <= 0 && bc <= 0 && ac > 0 {
			t.Errorf("%q <= %q <= %q, but %q > %q", a, b, c, a, c)
		}
	})
}

func orderRPM(t *rapid.T, a, b string) int {
	order, err := CompareRPMVersions(a, b)
	if err != nil {
		t.Fatal(err)
	}
	return order
}

func FuzzCompareRPMVersions(f *testing.F) {
	f.Add("1:1.0~rc1-2.fc41", "1.0^git1-1")
	f.Add("5.14.0-427.13.1.el9_4", "x")
	f.Fuzz(func(t *testing.T, a, b string) {
		ab, err := CompareRPMVersions(a, b)
		ba, errBack := CompareRPMVersions(b, a)
		if ab != -ba || (err == nil) != (errBack == nil) {
			t.Errorf("CompareRPMVersions(%q, %q) = %d, %v; the other way round %d, %v", a, b, ab, err, ba, errBack)
		}
	})
}
