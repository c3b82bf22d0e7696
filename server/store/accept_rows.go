package store

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"plumb/inventory"
	"plumb/policies"
)

// writing is one transaction in which deliveries of many hosts are stored. What all of them write to
// a table goes there together.
type writing struct {
	store *Store
	ctx   context.Context
	tx    *sql.Tx
	// waiting are statements for PostgreSQL.
	waiting pgx.Batch

	hosts    map[inventory.HostID]Host
	verified map[inventory.HostID]bool
	// silent are those that were marked silent when they were read.
	silent map[inventory.HostID]bool
	// findings are those of the hosts, as far as they may change.
	findings map[inventory.HostID]map[string]storedFinding
	// noted are the keys by which rows of several events will be found, by block.
	noted map[int64]map[string]bool
}

// accept stores deliveries; one that comes too late gets ErrConflict and harms nobody. Other servers may be at it, too, so all
// that locks rows goes in the same order everywhere: by host, then what hosts share, each kind in its own order.
func (w *writing) accept(batch []*delivery) error {
	batch = slices.SortedFunc(slices.Values(batch), func(a, b *delivery) int { return cmp.Compare(a.id, b.id) })
	if err := w.read(batch); err != nil {
		return err
	}
	w.verified, w.noted = map[inventory.HostID]bool{}, map[int64]map[string]bool{}
	good := batch[:0:0]
	for _, d := range batch {
		h, there := w.hosts[d.id]
		if d.err = nil; !there || !d.follows(h) {
			d.err = ErrConflict
			continue
		}
		w.verified[d.id] = true
		good = append(good, d)
	}
	if err := w.putShared(good); err != nil {
		return err
	}
	for n := 0; ; n++ {
		round := slices.DeleteFunc(slices.Clone(good), func(d *delivery) bool { return n >= len(d.steps) })
		if len(round) == 0 {
			break
		}
		if err := w.round(round, n); err != nil {
			return err
		}
	}
	if err := w.putHosts(good); err != nil {
		return err
	}
	if err := w.putEpochs(good); err != nil {
		return err
	}
	if err := w.send(); err != nil {
		return err
	}
	if err := w.noteBlocks(); err != nil {
		return err
	}
	return w.send()
}

// read gets what is stored of the hosts.
func (w *writing) read(batch []*delivery) error {
	ids := make([]string, len(batch))
	for i, d := range batch {
		ids[i] = string(d.id)
	}
	if err := w.lock(ids); err != nil {
		return err
	}
	if err := w.readFindings(batch); err != nil {
		return err
	}
	return w.send()
}

// byIndex keeps PostgreSQL from reading whole tables until the end of the transaction. It makes plans once and keeps them, often
// while the tables are small, and goes on reading all of them when they no longer are.
const byIndex = `SELECT set_config('enable_seqscan', 'off', true)`

// lock reads the hosts by the end of the next send, and keeps others from changing them; SQLite has one writer anyway. The IDs come in
// order, as with all who lock many hosts.
func (w *writing) lock(ids []string) error {
	condition, arg := w.store.among(`id`, ids)
	statement := `SELECT ` + hostColumns + ` FROM ` + hostRows + ` WHERE ` + condition + ` AND revoked = 0 ORDER BY id`
	if w.store.postgres {
		w.waiting.Queue(byIndex)
		statement += ` FOR UPDATE OF hosts`
	}
	w.hosts, w.silent = make(map[inventory.HostID]Host, len(ids)), map[inventory.HostID]bool{}
	return w.ask(statement, []any{arg}, func(scan func(...any) error) error {
		h, err := scanHost(scan)
		if one, waits := w.store.beats.of(h.ID); waits {
			h.LastSeen, h.Agent, h.Counter, h.Floor, h.Paused = one.at, one.Agent, one.Counter, one.Floor, one.Paused
		}
		w.hosts[h.ID], w.silent[h.ID] = h, h.Status == policies.Stale
		return err
	})
}

// round does the nth step of each of the deliveries.
func (w *writing) round(round []*delivery, n int) error {
	var ends, begins [][]any
	var events eventBatch
	findings := map[inventory.HostID][]Finding{}
	for _, d := range round {
		step, before := d.steps[n], w.hosts[d.id]
		events.join(d.events[n])
		h, fresh := follow(before, step)
		if fresh {
			ends = append(ends, []any{string(d.id), ms(before.Since), ms(h.Since), ms(before.LastSeen)})
			begins = append(begins, intervalRow(h.interval()))
		}
		if fresh || len(step.Events) > 0 {
			tell(w.ctx, d.id)
		}
		if step.NewInterval {
			findings[d.id] = step.Findings
		}
		w.verified[d.id] = w.verified[d.id] && before.SameInput(h)
		w.hosts[d.id] = h
	}
	for _, some := range []struct {
		query string
		rows  [][]any
	}{{endInterval, ends}, {insertIntervalRow, begins}} {
		if err := w.put(some.query, some.rows, nil); err != nil {
			return err
		}
	}
	if err := w.putEvents(events); err != nil {
		return err
	}
	if err := w.replaceFindings(findings); err != nil {
		return err
	}
	return w.patching(round, n)
}

// patching stores how hosts stand with their patches.
func (w *writing) patching(round []*delivery, n int) error {
	var none []string
	for _, d := range round {
		step := d.steps[n]
		if step.PatchHosts != nil && len(step.PatchHosts) == 0 {
			none = append(none, string(d.id))
		} else if step.PatchHosts != nil {
			if err := replacePatchHosts(w.ctx, w.tx, d.id, step.PatchHosts); err != nil {
				return err
			}
		}
	}
	if len(none) == 0 {
		return nil
	}
	condition, arg := w.store.among(`host`, none)
	return w.do(`DELETE FROM patch_hosts WHERE `+condition, arg)
}

const (
	updateHost = `UPDATE hosts SET epoch = $2, seq = $3, release = $4, commit_id = $5, facts = $6, catalog = $7,
		result = $8, since = $9, ran = $10, status = $11, found = $12, counts = $13, audit = $14, stale = $15, problem = $16, boot_id = $17, offers = $18 WHERE id = $1`
	// endSilence is for hosts that fell silent between their call and their report.
	endSilence     = `UPDATE beats SET silent = 0 WHERE host = $1`
	forgetVerified = `UPDATE hosts SET verified = 0, expected = '' WHERE id = $1`
	// growEpoch lets an epoch only grow.
	growEpoch = `INSERT INTO epochs (host, epoch, seq) VALUES ($1, $2, $3)
		ON CONFLICT (host, epoch) DO UPDATE SET seq = excluded.seq WHERE epochs.seq < excluded.seq`
)

func (w *writing) putHosts(good []*delivery) error {
	var rows, unverified, silent [][]any
	for _, d := range good {
		h := w.hosts[d.id]
		touch(w.ctx, d.id)
		rows = append(rows, []any{string(h.ID), h.Epoch, int64(h.Seq), int64(h.Release), h.Commit, h.Facts, h.Catalog,
			h.Result, ms(h.Since), ms(h.Ran), string(h.Status), string(h.Found), countsColumn(h.Counts), bit(h.Audit), bit(h.Stale), h.Problem, h.BootID, h.Offers})
		if w.silent[d.id] {
			silent = append(silent, []any{string(h.ID)})
		}
		if !w.verified[d.id] {
			unverified = append(unverified, []any{string(h.ID)})
			h.Expected = ""
		}
		leave(w.ctx, h.asRead())
	}
	if err := w.put(updateHost, rows, nil); err != nil {
		return err
	}
	if err := w.put(endSilence, silent, nil); err != nil {
		return err
	}
	return w.put(forgetVerified, unverified, nil)
}

// asRead is a host that is written as it will be read.
func (h Host) asRead() Host {
	h.LastSeen, h.Since, h.Ran = at(ms(h.LastSeen)), at(ms(h.Since)), at(ms(h.Ran))
	if h.Counts == nil {
		h.Counts = map[policies.Status]int{}
	}
	return h
}

// putEpochs stores how far those epochs have come that hosts left or began. How far its newest one comes from then on
// is told by the row of the host.
func (w *writing) putEpochs(good []*delivery) error {
	var left, rows [][]any
	for _, d := range good {
		if !d.changesEpoch() {
			continue
		}
		if d.epoch != "" {
			left = append(left, []any{string(d.id), d.epoch, int64(d.after)})
		}
		for i, step := range d.steps {
			if r := step.Report; i+1 == len(d.steps) || d.steps[i+1].Report.Epoch != r.Epoch {
				rows = append(rows, []any{string(d.id), r.Epoch, int64(r.Seq)})
			}
		}
	}
	if err := w.put(growEpoch, left, nil); err != nil {
		return err
	}
	return w.put(growEpoch, rows, func(grown int64) error {
		if grown != int64(len(rows)) {
			return ErrConflict
		}
		return nil
	})
}

const (
	upsertFinding = `INSERT INTO findings (host, address, status, since, severity, detail, flapping) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (host, address) DO UPDATE SET status = excluded.status, severity = excluded.severity, detail = excluded.detail, flapping = excluded.flapping`
	deleteFinding  = `DELETE FROM findings WHERE host = $1 AND address = $2`
	deleteControls = `DELETE FROM finding_controls WHERE host = $1 AND address = $2`
	insertControl  = `INSERT INTO finding_controls (control, host, address) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
)

// replaceFindings makes these the findings of the hosts, and writes only what differs: most new
// intervals change a few resources of many.
func (w *writing) replaceFindings(of map[inventory.HostID][]Finding) error {
	var gone, put, renewed, controls [][]any
	for _, id := range slices.Sorted(maps.Keys(of)) {
		before, now := w.findings[id], make(map[string]storedFinding, len(of[id]))
		w.findings[id] = now
		for _, f := range of[id] {
			detail := f.detail()
			old, known := before[f.Address]
			now[f.Address] = storedFinding{string(f.Status), f.Severity, detail}
			delete(before, f.Address)
			if known && old == now[f.Address] {
				continue
			}
			if known {
				renewed = append(renewed, []any{string(id), f.Address})
			}
			put = append(put, []any{string(id), f.Address, string(f.Status), ms(f.Since), f.Severity, detail, bit(f.Flapping != nil)})
			for _, control := range f.Controls {
				controls = append(controls, []any{control, string(id), f.Address})
			}
		}
		for address := range before {
			gone = append(gone, []any{string(id), address})
		}
	}
	for _, some := range []struct {
		query string
		rows  [][]any
	}{{deleteFinding, gone}, {upsertFinding, put}, {deleteControls, renewed}, {insertControl, controls}} {
		if err := w.put(some.query, some.rows, nil); err != nil {
			return err
		}
	}
	return nil
}

type storedFinding struct{ status, severity, detail string }

func (w *writing) readFindings(batch []*delivery) error {
	var ids []string
	w.findings = make(map[inventory.HostID]map[string]storedFinding, len(batch))
	for _, d := range batch {
		if slices.ContainsFunc(d.steps, func(one Step) bool { return one.NewInterval }) {
			ids = append(ids, string(d.id))
			w.findings[d.id] = map[string]storedFinding{}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	condition, arg := w.store.among(`host`, ids)
	return w.ask(`SELECT host, address, status, severity, detail FROM findings WHERE `+condition, []any{arg}, func(scan func(...any) error) error {
		var id inventory.HostID
		var address string
		var f storedFinding
		err := scan(&id, &address, &f.status, &f.severity, &f.detail)
		w.findings[id][address] = f
		return err
	})
}
