package patch

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
)

func item(name, version string) Item {
	return Item{Manager: "apt", Package: name, Source: name, Arch: "amd64", Version: version, Repository: "Debian/Debian/bookworm"}
}

func byText(_, a, b string) bool { return a > b }

func TestGather(t *testing.T) {
	dependency, bad, worst := item("b", "1"), item("b", "1"), item("b", "1")
	dependency.Dependency, bad.Level, worst.Level = true, "low", "critical"
	elsewhere := item("a", "9")
	elsewhere.Repository = "Debian/Debian/trixie"
	for name, c := range map[string]struct {
		lists [][]Item
		want  []Item
	}{
		"nothing":             {nil, []Item{}},
		"of two the newer":    {[][]Item{{item("a", "2")}, {item("a", "1"), item("a", "3")}}, []Item{item("a", "3")}},
		"older does not win":  {[][]Item{{item("a", "3")}, {item("a", "1")}}, []Item{item("a", "3")}},
		"stays without news":  {[][]Item{{item("a", "1"), item("b", "1")}, {item("a", "2")}}, []Item{item("a", "2"), item("b", "1")}},
		"repositories apart":  {[][]Item{{elsewhere}, {item("a", "1")}}, []Item{item("a", "1"), elsewhere}},
		"more than a part":    {[][]Item{{dependency}, {item("b", "1")}}, []Item{item("b", "1")}},
		"a part stays a part": {[][]Item{{dependency}, {dependency}}, []Item{dependency}},
		"worst level":         {[][]Item{{item("b", "1")}, {bad}, {worst}}, []Item{worst}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Gather(byText, c.lists...)); diff != "" {
				t.Errorf("Gather (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDifference(t *testing.T) {
	level, dependency := item("a", "1"), item("a", "1")
	level.Level, dependency.Dependency = "high", true
	for name, c := range map[string]struct{ before, after, added, removed []Item }{
		"equal":         {[]Item{item("a", "1")}, []Item{item("a", "1")}, nil, nil},
		"another level": {[]Item{item("a", "1")}, []Item{level}, nil, nil},
		"newer":         {[]Item{item("a", "1"), item("b", "1")}, []Item{item("a", "2"), item("b", "1")}, []Item{item("a", "2")}, []Item{item("a", "1")}},
		"asked for now": {[]Item{dependency}, []Item{item("a", "1")}, []Item{item("a", "1")}, []Item{dependency}},
	} {
		t.Run(name, func(t *testing.T) {
			added, removed := Difference(c.before, c.after)
			if diff := cmp.Diff([][]Item{c.added, c.removed}, [][]Item{added, removed}); diff != "" {
				t.Errorf("Difference (-want +got):\n%s", diff)
			}
		})
	}
}

func TestItem(t *testing.T) {
	b, o := debian(), openssl()
	held, foreign := o, o
	held.Held, foreign.Origin = true, "Elsewhere"
	for name, c := range map[string]struct {
		offer inventory.Offer
		state State
		in    bool
		part  bool
	}{
		"approved":                 {o, Approved, true, false},
		"waiting":                  {o, Waiting, false, false},
		"rejected":                 {o, Rejected, false, false},
		"held":                     {o, Held, false, false},
		"part of another":          {o, AllowedAsDependency, true, true},
		"part that is held":        {held, AllowedAsDependency, false, false},
		"part from somewhere else": {foreign, AllowedAsDependency, false, false},
	} {
		got, in := b.Item(c.offer, Verdict{State: c.state, Level: "high"})
		if in != c.in || in && (got.Dependency != c.part || got.Level != "high" || got.Version != c.offer.Candidate) {
			t.Errorf("%s: Item = %+v, %t, want %+v", name, got, in, c)
		}
	}
}

func TestBars(t *testing.T) {
	b := debian()
	b.Rejects = []Reject{{Packages: []string{"nginx-*"}, Action: Block}, {Packages: []string{"openssl=3.0.22*"}, Action: AllowAsDependency},
		{Packages: []string{"bash"}, Action: Block, Expires: now.Add(-time.Second)}}
	for name, want := range map[string]State{"nginx-core": Rejected, "bash": "", "openssl": AllowedAsDependency} {
		if got := b.Bars(item(name, "3.0.22-1"), now); got != want {
			t.Errorf("Bars(%s) = %q, want %q", name, got, want)
		}
	}
}

func TestUrgent(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Baseline, *inventory.Offer)
		want   bool
	}{
		"too young for any rule":  {func(*Baseline, *inventory.Offer) {}, true},
		"no rule is about it":     {func(b *Baseline, _ *inventory.Offer) { b.Rules = nil }, true},
		"rejected":                {func(b *Baseline, _ *inventory.Offer) { b.Rejects = []Reject{{Packages: []string{"libssl3"}}} }, false},
		"held":                    {func(_ *Baseline, o *inventory.Offer) { o.Held = true }, false},
		"phased":                  {func(_ *Baseline, o *inventory.Offer) { o.Phased = 10 }, false},
		"from another repository": {func(_ *Baseline, o *inventory.Offer) { o.Origin = "Elsewhere" }, false},
	} {
		b, o := debian(), openssl()
		c.change(&b, &o)
		got, ok := b.Urgent(o, now)
		if ok != c.want || ok && (got.Version != o.Candidate || got.Level != "critical") {
			t.Errorf("%s: Urgent = %+v, %t, want %t", name, got, ok, c.want)
		}
	}
}
