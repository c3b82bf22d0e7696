package server

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// How the collector of garbage works. Most of what a check-in needs is garbage a moment later, so that it pays
// to collect seldom while there is room; a large fleet has much in memory, which then at most doubles, as is usual.
const (
	// lazily is by how many percent memory may grow between two collections, as far as there is room.
	lazily = 400
	// room is how much memory may be used for that, in bytes.
	room = 256 << 20
	// roomLook is how often it is looked whether more is needed.
	roomLook = 2 * time.Second
)

// collectLate sets the collector of garbage until ctx ends, unless the environment does (GOGC, GOMEMLIMIT).
func collectLate(ctx context.Context) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetMemoryLimit(room)
	debug.SetGCPercent(lazily)
	ticker := time.NewTicker(roomLook)
	defer ticker.Stop()
	for now := int64(room); ; {
		if next := memoryLimit(inUse()); next < now/10*9 || next > now { // each new one stops the world for a moment
			now = next
			debug.SetMemoryLimit(now)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// memoryLimit is how much memory may be in use before garbage is collected: what lives once more, and
// never so little that the collector would have to hurry.
func memoryLimit(live, besides uint64) int64 { return max(room, int64(2*live+besides)) }

// inUse returns how much of the heap was alive after the last collection, and how much memory the runtime
// needs besides the heap.
func inUse() (live, besides uint64) {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64() - s[2].Value.Uint64() - s[3].Value.Uint64() - s[4].Value.Uint64()
}
