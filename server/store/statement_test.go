package store

import (
	"fmt"
	"testing"
	"time"
)

// However many rows go in one statement, each is stored once and in its order.
func TestAllEventsOfAReportAreStored(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		id, seq := enrol(t, s, "web1", start), uint64(0)
		for _, n := range []int{1, rowsAtOnce - 1, rowsAtOnce, rowsAtOnce + 1, 2*rowsAtOnce + 3} {
			seq++
			one := step("e", seq, fmt.Sprint("r", seq), start.Add(time.Duration(seq)*time.Minute))
			var want []string
			for i := range n {
				one.Events = append(one.Events, Event{Seq: seq, At: start, Kind: EventRepaired, Address: fmt.Sprintf("file.f%02d", i), Message: fmt.Sprint(i)})
				want = append([]string{one.Events[i].Address}, want...)
			}
			epoch := "e"
			if seq == 1 {
				epoch = ""
			}
			must(t, s.Accept(t.Context(), id, epoch, seq-1, []Step{one}, start))
			events, err := s.Events(t.Context(), EventFilter{Host: id, Limit: n + 1})
			must(t, err)
			var got []string
			for _, e := range events {
				if e.Seq == seq {
					got = append(got, e.Address)
				}
			}
			same(t, fmt.Sprint(n, " events, the newest first"), got, want)
		}
	})
}
