package server

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
)

func TestMemoryLimit(t *testing.T) {
	for name, c := range map[string]struct{ live, besides, want uint64 }{
		"nothing yet": {0, 10 << 20, room},
		"small":       {60 << 20, 20 << 20, room},
		"large":       {400 << 20, 50 << 20, 850 << 20},
	} {
		if got := memoryLimit(c.live, c.besides); got != int64(c.want) {
			t.Errorf("%s: memoryLimit(%d, %d) = %d, want %d", name, c.live, c.besides, got, c.want)
		}
	}
}

// TestInUse has what lives and what is besides it be a part of what the process holds.
func TestInUse(t *testing.T) {
	held := make([]byte, 64<<20)
	runtime.GC()
	live, besides := inUse()
	if live < uint64(len(held)) || live > 8*uint64(len(held)) || besides == 0 || besides > uint64(len(held)) {
		t.Errorf("inUse() = %d, %d while %d bytes are held", live, besides, len(held))
	}
	runtime.KeepAlive(held)
}

// TestEnvironmentSetsTheCollector starts with and without words of the environment on it.
func TestEnvironmentSetsTheCollector(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, want := range map[string]int{"": lazily, "GOGC": 70, "GOMEMLIMIT": 70} {
		t.Run(name, func(t *testing.T) {
			const none = 1 << 40
			percent, limit := debug.SetGCPercent(70), debug.SetMemoryLimit(none) // servers of other tests set them as well
			t.Cleanup(func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) })
			t.Setenv("GOGC", "")
			t.Setenv("GOMEMLIMIT", "")
			if name != "" {
				t.Setenv(name, "anything")
			}
			collectLate(over)
			got, bound := debug.SetGCPercent(want), debug.SetMemoryLimit(-1)
			if got != want || (bound != none) != (name == "") {
				t.Errorf("percent = %d, want %d; limit %d after %d", got, want, bound, int64(none))
			}
		})
	}
}
