package api

import (
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"
)

// admission bounds how many requests of hosts are under way at once. One too many is refused before
// anything of it is looked up or read: that costs a hundredth of what it asks for, so that a fleet
// that asks for ten times what the server can do gets as much done as one that asks for all it can.
type admission struct {
	most  int64
	taken atomic.Int64
}

const (
	// atOnce is how many requests of hosts are under way at once: enough for some commits to the disk.
	atOnce = 512
	// Hosts that are refused come back after a random time between these, not all at once.
	comeSoonest, comeLatest = 5 * time.Second, 60 * time.Second
)

// enter takes a place, or tells when to come again. Whoever got one gives it back with leave.
func (a *admission) enter() error {
	if a.taken.Add(1) <= a.most {
		return nil
	}
	a.leave()
	return &Error{Code: http.StatusTooManyRequests, Text: "the server has too much to do at the moment", Hint: "come back later",
		After: comeSoonest + rand.N(comeLatest-comeSoonest)}
}

func (a *admission) leave() { a.taken.Add(-1) }
