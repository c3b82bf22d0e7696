package web

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"plumb/server/api"
	"plumb/server/views"
)

// overviewPage answers: are we fine?
type overviewPage struct {
	frame
	Fleet views.Fleet
	// Verdict is the answer in one sentence.
	Verdict string
	// Bar is how the hosts stand.
	Bar []segment
	// Worst are the resources that are wrong on the most hosts, More counts those left out.
	Worst []worst
	More  int
	// Changes are the newest, the newest first.
	Changes []views.Change
	// Stuck are rollouts that wait for a person.
	Stuck []board
}

// Fine tells whether nothing needs a person.
func (p overviewPage) Fine() bool { return p.Fleet.Fine() && len(p.Stuck) == 0 }

const (
	worstShown   = 10
	changesShown = 5
)

func (s *site) overview(c *api.Call) (any, error) {
	ctx, read := c.Request.Context(), s.Read()
	fleet, err := read.Fleet(ctx, c.Now)
	if err != nil {
		return nil, err
	}
	changes, err := read.Changes(ctx, changesShown)
	if err != nil {
		return nil, err
	}
	stuck, err := s.stuck(c)
	if err != nil {
		return nil, err
	}
	all := sortWorst(fleet.Findings)
	shown := all[:min(len(all), worstShown)]
	return s.show("overview", overviewPage{
		frame: s.frame(c, "Overview", "/"), Fleet: fleet, Verdict: verdict(fleet, stuck), Bar: bar(fleet.Status),
		Worst: shown, More: len(all) - len(shown), Changes: changes, Stuck: stuck,
	})
}

// stuck returns the rollouts that wait for a person.
func (s *site) stuck(c *api.Call) ([]board, error) {
	boards, err := s.Read().Boards(c.Request.Context(), s.Rollouts, c.Now)
	if err != nil {
		return nil, err
	}
	var stuck []board
	for _, b := range boards {
		if own := newBoard(b); own.Stuck() {
			stuck = append(stuck, own)
		}
	}
	return stuck, nil
}

// verdict says whether we are fine, and if not, the first thing that a person should know.
func verdict(f views.Fleet, stuck []board) string {
	need := f.Hosts
	for status, n := range f.Status {
		if views.Fine(status) {
			need -= n
		}
	}
	switch {
	case f.Hosts == 0:
		return "There are no hosts yet."
	case need > 0:
		return fmt.Sprintf("%s of %s %s a look.", views.Number(need), hosts(f.Hosts), needs(need))
	case f.Mismatch > 0:
		return hosts(f.Mismatch) + " compiled another catalog than this server."
	case f.Problems > 0:
		return hosts(f.Problems) + " refused or could not use the newest release."
	case len(stuck) > 0:
		return sentence(stuck[0].Newest.Title) + " is " + spaced(stuck[0].Newest.Phase) + "."
	case f.Halted():
		return "Release " + strconv.FormatUint(f.Rollout.Release, 10) + " is halted."
	case f.Policy.Problem != "":
		return "The hosts are as policy wants them, but the policy repository has a problem."
	case f.Hosts == 1:
		return "The one host is as policy wants it."
	}
	return "All " + hosts(f.Hosts) + " are as policy wants them."
}

func needs(n int) string {
	if n == 1 {
		return "needs"
	}
	return "need"
}

// worst is a resource and on how many hosts it does not pass.
type worst struct {
	Address string
	Hosts   int
}

func sortWorst(findings map[string]int) []worst {
	list := make([]worst, 0, len(findings))
	for _, address := range slices.Sorted(maps.Keys(findings)) {
		list = append(list, worst{address, findings[address]})
	}
	slices.SortStableFunc(list, func(a, b worst) int { return cmp.Compare(b.Hosts, a.Hosts) })
	return list
}
