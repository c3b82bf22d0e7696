package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"plumb/policies"
	"plumb/server/store"
)

// shuffled is one long history of a host, which arrives twice: at plain in order, at wild anyhow.
type shuffled struct {
	plain, wild *agent
	reports     []policies.Report
}

const (
	shuffledHosts   = 8
	shuffledReports = 250 // of each host
	couriers        = 6   // deliver at once
	widest          = 12  // reports in one delivery
)

// TestShuffledDeliveries is TestReportsCountOnce at length: many hosts at once, whose reports each arrive about fifty times,
// in any order. Rows that they leave are those of hosts whose reports arrive once, in order. A delivery is one report that
// came in a check-in.
func TestShuffledDeliveries(t *testing.T) {
	rounds, wanted := 1, 2_000
	if os.Getenv("PLUMB_SOAK") != "" {
		rounds, wanted = 9, 1_000_000
	}
	total := 0
	for round := range rounds {
		seed := uint64(round + 1)
		total += shuffle(t, seed, wanted/rounds+1)
		t.Logf("seed %d: %d deliveries so far", seed, total)
	}
	if total < wanted {
		t.Errorf("%d deliveries, want %d", total, wanted)
	}
}

// shuffle plays one fleet and returns how many reports were delivered to its wild hosts.
func shuffle(t *testing.T, seed uint64, wanted int) int {
	t.Helper()
	f := newFleet(t)
	chance := rand.New(rand.NewPCG(seed, 10))
	hosts := make([]*shuffled, shuffledHosts)
	count := min(shuffledReports, wanted/shuffledHosts/10)
	for i := range hosts {
		hosts[i] = newShuffled(t, f, i, count, chance)
	}
	now := start.Add(1000 * time.Hour)
	delivered := scatter(t, hosts, wanted, seed, now)
	for _, h := range hosts {
		for at := 0; at < len(h.reports); { // the agent never gives up
			answer, err := h.wild.deliver(t.Context(), now, h.reports[at:min(at+widest, len(h.reports))]...)
			must(t, err)
			delivered += min(at+widest, len(h.reports)) - at
			at = int(answer.Accepted)
		}
		same(t, "content", contentOf(t, f, h.wild), contentOf(t, f, h.plain))
	}
	return delivered
}

func newShuffled(t *testing.T, f *Fleet, i, count int, chance *rand.Rand) *shuffled {
	t.Helper()
	h := &shuffled{plain: f.enrol(t, fmt.Sprintf("plain%d", i)), wild: f.enrol(t, fmt.Sprintf("wild%d", i))}
	for n := range count {
		h.reports = append(h.reports, anyReport(h.plain, n, chance))
	}
	h.wild.objects = h.plain.objects
	for piece := range slices.Chunk(h.reports, widest) {
		_, err := h.plain.deliver(t.Context(), start.Add(1000*time.Hour), piece...)
		must(t, err)
	}
	return h
}

func anyReport(a *agent, n int, chance *rand.Rand) policies.Report {
	statuses := []policies.Status{policies.Compliant, policies.Repaired, policies.Noncompliant, policies.Failed, policies.Pending}
	found := outcome{}
	for _, address := range []string{"a", "b", "c"} {
		if chance.IntN(10) > 0 {
			found[address] = statuses[chance.IntN(len(statuses))]
		}
	}
	r := a.report(uint64(1+n/50+chance.IntN(2)), found, start.Add(time.Duration(10*n+chance.IntN(11)-5)*time.Minute))
	r.BootID = fmt.Sprintf("boot%d", n/20)
	if chance.IntN(10) == 0 {
		r.Catalog, r.Result, r.Problem = "", "", "does not compile"
	}
	return r
}

// scatter delivers pieces of the histories at once until so many reports were delivered. A piece lies about where the host
// stands, so that some of it is new, or anywhere before and behind; it comes in order, backwards or shuffled.
func scatter(t *testing.T, hosts []*shuffled, wanted int, seed uint64, now time.Time) int {
	var wg sync.WaitGroup
	share := wanted/couriers + 1
	for c := range uint64(couriers) {
		wg.Go(func() {
			chance := rand.New(rand.NewPCG(seed, 100+c))
			for done := 0; done < share; {
				h := hosts[chance.IntN(len(hosts))]
				piece := h.piece(chance, float64(done)/float64(share))
				done += len(piece)
				// Who comes too late five times in a row, since others deliver for the same host, is told to come again.
				if _, err := h.wild.deliver(context.Background(), now, piece...); err != nil && !errors.Is(err, store.ErrConflict) {
					t.Errorf("cannot deliver: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	return share * couriers
}

// piece is about the given part of the history, so that the fleet goes through it as time goes on.
func (h *shuffled) piece(chance *rand.Rand, part float64) []policies.Report {
	from := int(part*float64(len(h.reports))) + chance.IntN(2*widest) - widest
	if chance.IntN(4) == 0 {
		from = chance.IntN(len(h.reports))
	}
	from = min(max(from, 0), len(h.reports)-1)
	piece := slices.Clone(h.reports[from:min(from+1+chance.IntN(widest), len(h.reports))])
	switch chance.IntN(3) {
	case 0:
		slices.Reverse(piece)
	case 1:
		chance.Shuffle(len(piece), func(i, k int) { piece[i], piece[k] = piece[k], piece[i] })
	}
	return piece
}
