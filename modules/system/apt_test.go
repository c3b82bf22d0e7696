package system

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func recorded(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestParseAptPlan(t *testing.T) {
	want := AptPlan{
		Install: map[string]string{
			"nginx": "1.22.1-9+deb12u11", "nginx-common": "1.22.1-9+deb12u11", "base-files": "12.4+deb12u15",
			"bash": "5.2.15-2+b13", "login": "1:4.13+dfsg1-1+deb12u2",
		},
		Old:    map[string]string{"base-files": "12.4+deb12u11", "bash": "5.2.15-2+b8", "login": "1:4.13+dfsg1-1+deb12u1"},
		Remove: []string{"openssh-server"},
	}
	if diff := cmp.Diff(want, parseAptPlan(recorded(t, "apt/install.txt"))); diff != "" {
		t.Errorf("parseAptPlan (-want +got):\n%s", diff)
	}
}

func TestParseAptCache(t *testing.T) {
	if diff := cmp.Diff([]string{"5.2.15-2+b13", "2.36-9+deb12u14", "2.36-9+deb12u7"}, parseMadison(recorded(t, "apt/madison.txt"))); diff != "" {
		t.Errorf("parseMadison (-want +got):\n%s", diff)
	}
	if got := parseCandidate(recorded(t, "apt/policy.txt")); got != "5.2.15-2+b13" {
		t.Errorf("parseCandidate = %q, want 5.2.15-2+b13", got)
	}
	if got := parseCandidate("x:\n  Candidate: (none)\n"); got != "" {
		t.Errorf("parseCandidate of none = %q, want nothing", got)
	}
}

func FuzzAptOutput(f *testing.F) {
	for _, name := range []string{"apt/install.txt", "apt/madison.txt", "apt/policy.txt"} {
		f.Add(recorded(f, name))
	}
	f.Add("Inst\nInst x\nRemv\nInst x [ (\n")
	f.Fuzz(func(t *testing.T, out string) {
		plan := parseAptPlan(out)
		for name, version := range plan.Install {
			if name == "" || strings.ContainsAny(name+version, " \n") {
				t.Errorf("parseAptPlan gave %q %q", name, version)
			}
		}
		for _, v := range parseMadison(out) {
			if v == "" {
				t.Error("parseMadison gave an empty version")
			}
		}
		parseCandidate(out)
	})
}

func TestProcessStart(t *testing.T) {
	stat := "77 (odd ) name) S 1 77 77 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 9 9"
	got, ok := processStart([]byte(stat), []byte("cpu 1 2\nbtime 1700000000\nprocesses 5\n"))
	if want := time.Unix(1700000123, 0); !ok || !got.Equal(want) {
		t.Errorf("processStart = %s, %t, want %s", got, ok, want)
	}
	if got, ok := processStart([]byte("77"), nil); ok {
		t.Errorf("processStart of nonsense = %s, want nothing", got)
	}
	mine := describeProcess(os.Getpid())
	if age := time.Since(mine.Since); mine.Name == "" || age < -2*time.Second || age > time.Hour {
		t.Errorf("describeProcess(self) = %+v, want this test's start", mine)
	}
}
