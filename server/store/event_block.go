package store

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
)

// blockRows is how many rows of events are a block. Rows of several events are found by the resource in two steps:
// in which blocks it is, and where in them. An entry for each event would cost more than the events.
const blockRows = 256

func policyKey(policy string) string { return "policy." + policy + "." }

// keysOf are those by which rows with an address are found.
func keysOf(address string) []string {
	if rest, ok := strings.CutPrefix(address, "policy."); ok {
		if name, _, ok := strings.Cut(rest, "."); ok {
			return []string{address, policyKey(name)}
		}
	}
	return []string{address}
}

// eventsListed are the selected events in rows of several, by their resource.
func (s *Store) eventsListed(ctx context.Context, f EventFilter) ([]Event, error) {
	key, line := f.Address, "\n"+f.Address+"\n"
	if key == "" {
		key = policyKey(f.Policy)
		line = "\n" + key
	}
	w := f.where()
	w.and(`e.resources > 1`)
	w.and(s.lists(`e.address`), line)
	if f.Host != "" {
		return s.eventsWhere(ctx, f, w)
	}
	blocks, err := s.blocksOf(ctx, key, f.Before)
	all := []Event{}
	for i := 0; i < len(blocks) && err == nil && len(all) < f.Limit; i++ {
		in := &where{conditions: slices.Clone(w.conditions), args: slices.Clone(w.args)}
		in.and(`e.id >= ? AND e.id < ?`, blocks[i]*blockRows, (blocks[i]+1)*blockRows)
		var some []Event
		some, err = s.eventsWhere(ctx, f, in)
		all = append(all, some...)
	}
	return all, err
}

// lists tells whether one of the lines of a column is like this.
func (s *Store) lists(column string) string {
	if s.postgres {
		return `strpos(chr(10) || ` + column + ` || chr(10), ?) > 0`
	}
	return `instr(char(10) || ` + column + ` || char(10), ?) > 0`
}

// blocksOf lists the blocks of a key, the newest first, up to that of an event.
func (s *Store) blocksOf(ctx context.Context, key string, before int64) ([]int64, error) {
	w := &where{}
	w.and(`key = ?`, key)
	if before != 0 {
		w.and(`block <= ?`, rowOf(before)/blockRows)
	}
	rows, err := s.r.QueryContext(ctx, `SELECT block FROM event_blocks`+w.String()+` ORDER BY block DESC`, w.args...)
	return list(rows, err, func(scan func(...any) error) (block int64, err error) { return block, scan(&block) })
}

const insertBlock = `INSERT INTO event_blocks (key, block) VALUES ($1, $2) ON CONFLICT (key, block) DO NOTHING`

// putEvents stores events, and remembers in which blocks they are.
func (w *writing) putEvents(b eventBatch) error {
	if len(b.rows) == 0 {
		return nil
	}
	put := insertEventRow
	if !w.store.postgres {
		if err := w.put(put, b.rows, nil); err != nil {
			return err
		}
		last := int64(0)
		err := w.tx.QueryRowContext(w.ctx, `SELECT last_insert_rowid()`).Scan(&last)
		w.noteAll(b.keys, last-int64(len(b.rows))+1, last)
		return err
	}
	// Its IDs may have those of other servers in between.
	put = `WITH put AS (` + inColumns(put, b.rows[0]) + ` RETURNING id) SELECT MIN(id), MAX(id) FROM put`
	return w.ask(put, columnsOf(b.rows), func(scan func(...any) error) error {
		var first, last int64
		err := scan(&first, &last)
		w.noteAll(b.keys, first, last)
		return err
	})
}

// noteAll notes the keys of rows with IDs from the first to the last.
func (w *writing) noteAll(keys []string, first, last int64) {
	for block := first / blockRows; block <= last/blockRows; block++ {
		for _, key := range keys {
			w.note(block, key)
		}
	}
}

func (w *writing) note(block int64, key string) {
	if w.store.blockKeys.has(block, key) {
		return
	}
	if w.noted[block] == nil {
		w.noted[block] = map[string]bool{}
	}
	w.noted[block][key] = true
}

// noteBlocks stores what was noted, in an order that is the same on all servers: they wait for each other.
func (w *writing) noteBlocks() error {
	var rows [][]any
	for _, block := range slices.Sorted(maps.Keys(w.noted)) {
		for _, key := range slices.Sorted(maps.Keys(w.noted[block])) {
			rows = append(rows, []any{key, block})
		}
	}
	return w.put(insertBlock, rows, nil)
}

// learn remembers what is stored of blocks now.
func (b *blockKeys) learn(noted map[int64]map[string]bool) {
	for block, keys := range noted {
		b.add(block, slices.Collect(maps.Keys(keys)))
	}
}

// blockKeys are the keys that are known to be noted for the newest block, so that they are not noted again.
type blockKeys struct {
	mu    sync.Mutex
	block int64
	keys  map[string]bool
}

func (b *blockKeys) has(block int64, key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.block == block && b.keys[key]
}

func (b *blockKeys) add(block int64, keys []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.keys == nil || b.block < block {
		b.block, b.keys = block, map[string]bool{}
	}
	for _, key := range keys {
		if b.block == block {
			b.keys[key] = true
		}
	}
}
