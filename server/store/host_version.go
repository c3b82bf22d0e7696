package store

import (
	"context"
	"sync"

	"plumb/inventory"
)

// versions count how often intervals and events of hosts were written since the process began.
type versions struct {
	mu sync.Mutex
	of map[inventory.HostID]uint64
}

func (v *versions) raise(ids []inventory.HostID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.of == nil {
		v.of = map[inventory.HostID]uint64{}
	}
	for _, id := range ids {
		v.of[id]++
	}
}

// Version is another one whenever an interval or an event of a host has been stored. Who takes it before reading them may
// keep them until then. As with the roster it is known in SQLite, whose file belongs to one process.
func (s *Store) Version(id inventory.HostID) (version uint64, known bool) {
	s.versions.mu.Lock()
	defer s.versions.mu.Unlock()
	return s.versions.of[id], !s.postgres
}

// tell says that a transaction writes an interval or an event of a host. Everything that does so has to say it.
func tell(ctx context.Context, id inventory.HostID) {
	if t := transactionOf(ctx); t != nil {
		t.told = append(t.told, id)
	}
}
