package system

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// madeUp makes packages with relations at random. All of version 1 go together, and all of
// version 2, but hardly any mixture.
func madeUp(random *rand.Rand, n int) (before, after []testDeb, wanted string) {
	for i := range n {
		one := testDeb{id: fmt.Sprintf("p%02d 1", i), more: fmt.Sprintf("Provides: v%02d (= 1)\n", i)}
		two := testDeb{id: fmt.Sprintf("p%02d 2", i), more: fmt.Sprintf("Provides: v%02d (= 2)\n", i)}
		var first, second, breaks []string
		for range random.IntN(3) {
			j := random.IntN(n)
			if j == i {
				continue
			}
			switch random.IntN(7) {
			case 0: // in step
				first, second = append(first, fmt.Sprintf("p%02d (= 1)", j)), append(second, fmt.Sprintf("p%02d (= 2)", j))
			case 1: // the new one needs the new one
				second = append(second, fmt.Sprintf("p%02d (>= 2)", j))
			case 2: // the old one needs the old one
				first = append(first, fmt.Sprintf("p%02d (<< 2)", j))
			case 3: // the new one breaks the old one
				breaks = append(breaks, fmt.Sprintf("p%02d (<< 2)", j))
			case 4: // by what it provides
				second = append(second, fmt.Sprintf("v%02d (= 2)", j))
			case 5: // one of two
				first, second = append(first, fmt.Sprintf("p%02d (<< 2) | none", j)), append(second, fmt.Sprintf("none | p%02d (>= 2) | p%02d (<< 2)", j, (j+1)%n))
			case 6: // something new
				second = append(second, fmt.Sprintf("n%02d", j))
			}
		}
		one.more += field("Depends", first)
		two.more += field("Depends", second) + field("Breaks", breaks)
		before, after = append(before, one), append(after, two, testDeb{id: fmt.Sprintf("n%02d 1", i)})
		wanted += fmt.Sprintf("p%02d=2 ", i)
	}
	return before, after, wanted
}

func field(name string, values []string) string {
	if len(values) == 0 {
		return ""
	}
	return name + ": " + strings.Join(values, ", ") + "\n"
}

// Every step of a plan has to be one that apt takes as it is: nothing more, nothing left broken.
func TestAptStepsAreComplete(t *testing.T) {
	seeds := 2
	if testing.Short() {
		seeds = 1
	}
	if os.Getenv("PLUMB_SOAK") == "1" {
		seeds = 60
	}
	onAptHost(t, func(h *aptHost) {
		saved := h.work + "/empty"
		h.save(saved)
		for seed := range seeds {
			h.restore(saved)
			before, after, wanted := madeUp(rand.New(rand.NewPCG(11, uint64(seed))), 14)
			h.have(before...)
			h.publish(after...)
			p := h.plan(wanted)
			if len(p.Held)+len(p.Gone)+len(p.Removed) > 0 {
				t.Fatalf("seed %d: %+v", seed, p)
			}
			for _, step := range p.Steps {
				h.must(h.apt.FetchPatch(t.Context(), step))
				if err := h.apt.InstallPatch(t.Context(), step, "keep"); err != nil {
					t.Fatalf("seed %d: of %q step %q: %v", seed, stepsOf(p), listOf(step), err)
				}
				if broken, err := h.apt.Broken(t.Context()); err != nil || len(broken) > 0 {
					t.Fatalf("seed %d: broken: %v, %v", seed, broken, err)
				}
			}
			if got := h.versions(); strings.Count(got, "=2") != len(before) {
				t.Errorf("seed %d: versions = %q", seed, got)
			}
			t.Logf("seed %d: %s", seed, stepsOf(p))
		}
	})
}
