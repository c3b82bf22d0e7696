package agent

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"plumb/agent/transport"
	"plumb/inventory"
)

// schedule says when the next round is due and whether it may call the server. Rounds lie on a
// grid of the interval, moved by a splay that the host's identity gives: a fleet spreads
// evenly, and a host keeps its place over restarts.
type schedule struct {
	host     inventory.HostID
	fixed    bool // the interval was set on the host
	interval time.Duration
	run      time.Time // when to run next
	call     time.Time // from when on the server may be called
	failures int
}

func newSchedule(host inventory.HostID, interval time.Duration, now time.Time) *schedule {
	s := &schedule{host: host, fixed: interval > 0, interval: interval}
	if !s.fixed {
		s.interval = DefaultInterval
	}
	s.run = now.Add(splay(host, min(firstDelay, s.interval)))
	s.call = s.run
	return s
}

// next is when to wake up: to run, or to try the server again before that.
func (s *schedule) next() time.Time {
	if s.failures > 0 && s.call.Before(s.run) {
		return s.call
	}
	return s.run
}

// after plans the next round. random returns a number below n.
func (s *schedule) after(now time.Time, out Outcome, random func(n int64) int64) {
	if !s.fixed && out.Interval > 0 {
		s.interval = min(max(out.Interval, minInterval), maxInterval)
	}
	s.run = slot(now, s.interval, splay(s.host, s.interval))
	if soon := now.Add(soonDelay); out.Soon && soon.Before(s.run) {
		s.run = soon
	}
	if opens := out.Opens.Add(splay(s.host, openingDelay)); opens.After(now) && opens.Before(s.run) {
		s.run = opens
		defer s.callAt(opens)
	}
	if out.Called == nil && !now.Before(s.call) {
		s.failures, s.call = 0, s.run
		return
	}
	if out.Called == nil {
		return // it was not called in this round
	}
	s.failures++
	if errors.Is(out.Called, transport.ErrUnfinished) {
		s.failures = 1 // a download gets on, however slowly
	}
	s.call = now.Add(backoff(s.failures, out.Called, random))
}

// callAt makes the server be called at a time, however often it was not reached before: what it
// gives out in a window must not be missed.
func (s *schedule) callAt(at time.Time) {
	if at.Before(s.call) {
		s.call = at
	}
}

// slot is the first time after now that lies on the grid.
func slot(now time.Time, interval, splay time.Duration) time.Time {
	past := time.Duration(now.UnixNano()-int64(splay)) % interval
	if past < 0 {
		past += interval
	}
	return now.Add(interval - past)
}

func splay(host inventory.HostID, interval time.Duration) time.Duration {
	sum := sha256.Sum256([]byte("plumb splay " + string(host)))
	return time.Duration(binary.BigEndian.Uint64(sum[:]) % uint64(interval))
}

// backoff is how long to leave the server alone after so many failures in a row: what it asks
// for, or a random time below a bound that doubles, so that a fleet does not come back at once.
func backoff(failures int, err error, random func(n int64) int64) time.Duration {
	var refused *transport.Refused
	if errors.As(err, &refused) && refused.RetryAfter > 0 {
		return refused.RetryAfter + time.Duration(random(int64(refused.RetryAfter/10)+1))
	}
	bound := maxBackoff
	if failures < 8 {
		bound = min(maxBackoff, 30*time.Second<<failures)
	}
	return time.Second + time.Duration(random(int64(bound)))
}

func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 300 {
		text = strings.ToValidUTF8(text[:300], "")
	}
	return text
}
