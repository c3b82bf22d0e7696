package web

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/server/store"
	"plumb/server/store/pagesum"
)

// originals is how many hosts of a large fleet are enrolled one by one; the others are copies of them in the
// database. A hundred hosts share a catalog; facts are shared by nobody.
const originals = 200

// largeName is the name of a host of a large fleet.
func largeName(i int) string { return fmt.Sprintf("host%06d.example.org", i) }

// copyHosts makes n hosts of the originals, and gives all of them a past.
func (f *fleet) copyHosts(n int) {
	f.t.Helper()
	catalogs := make([]string, n/100)
	for i := range catalogs {
		catalog := someCatalog()
		catalog.Resources[0].Timeout = i + 1
		catalogs[i] = f.put(store.KindCatalog, catalog)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(f.dir, "plumb.db")+"?vfs="+pagesum.VFS)
	must(f.t, err)
	defer db.Close()
	tx, err := db.Begin()
	must(f.t, err)
	for _, table := range []string{"hosts", "beats", "host_labels", "epochs", "intervals", "events", "findings", "finding_controls", "patch_hosts"} {
		must(f.t, copyRows(tx, table, n/originals))
	}
	must(f.t, ownState(tx, n, catalogs))
	for _, statement := range []string{
		pastOf("events", `(host, seq, at, kind, address, cause, status, before, changes, release, commit_id, from_commit, message, checked)`,
			`id, 0, at, 'repaired', '`+dropin+`', 'corrective', 'repaired', 'compliant', '[]', 1, '', '', '', at - 600000`),
		pastOf("intervals", `(host, since, until, last_checkin, release, commit_id, catalog, facts, result, status, counts)`,
			`id, at, at + 600000, at, 1, '', catalog, facts, result, 'repaired', '{"compliant":5,"repaired":1}'`),
		pastOf("intervals", `(host, since, until, last_checkin, release, commit_id, catalog, facts, result, status, counts)`,
			`id, at + 600000, at + 2588400000, at + 2588400000, 1, '', catalog, facts, result, 'compliant', '{"compliant":6}'`),
	} {
		_, err := tx.Exec(statement)
		must(f.t, err)
	}
	must(f.t, tx.Commit())
}

// copyRows copies the rows of the originals so often that there are times as many. What names a host in them
// names the copy.
func copyRows(tx *sql.Tx, table string, times int) error {
	rows, err := tx.Query(`SELECT name FROM pragma_table_info('` + table + `') WHERE NOT (name = 'id' AND type = 'INTEGER')`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var names, values []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		value := "t." + name
		switch copied := fmt.Sprintf(`printf('host%%06d.example.org', %d * k.k + CAST(substr(t.%s, instr(t.%[2]s, 'host') + 4, 6) AS INTEGER))`, originals, name); {
		case name == "host", table == "hosts" && name == "id":
			value = `'id-' || ` + copied
		case table == "hosts" && name == "key":
			value = `'SHA256:' || ` + copied
		case table == "hosts" && name == "name":
			value = copied
		}
		names, values = append(names, name), append(values, value)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	_, err = tx.Exec(fmt.Sprintf(`WITH RECURSIVE k(k) AS (VALUES (1) UNION ALL SELECT k + 1 FROM k WHERE k < %d) INSERT INTO %s (%s) SELECT %s FROM k, %[2]s t WHERE k.k < %[1]d`,
		times, table, strings.Join(names, ", "), strings.Join(values, ", ")))
	return err
}

// ownState gives each host facts of its own, and one of the catalogs.
func ownState(tx *sql.Tx, n int, catalogs []string) error {
	var os, words string
	if err := tx.QueryRow(`SELECT os, words FROM briefs`).Scan(&os, &words); err != nil {
		return err
	}
	for i := range n {
		facts := someFacts()
		facts.Hostname = largeName(i)
		raw, err := json.Marshal(facts)
		if err != nil {
			return err
		}
		digest := inventory.Digest(raw)
		for _, one := range []struct {
			statement string
			args      []any
		}{
			{`INSERT INTO objects (kind, digest, coding, content, stored) VALUES ('facts', $1, '', $2, 0)`, []any{digest, raw}},
			{`INSERT INTO briefs (facts, os, words) VALUES ($1, $2, $3)`, []any{digest, os, words + "\n" + largeName(i)}},
			{`UPDATE hosts SET facts = $1, catalog = $2 WHERE id = $3`, []any{digest, catalogs[i%len(catalogs)], "id-" + largeName(i)}},
		} {
			if _, err := tx.Exec(one.statement, one.args...); err != nil {
				return err
			}
		}
	}
	return nil
}

// pastOf is a statement that tells of a drift each host had every thirty days, each at another time.
func pastOf(table, columns, values string) string {
	const month = 30 * 24 * time.Hour
	return fmt.Sprintf(`WITH n(n) AS (VALUES (0), (1), (2)), p AS (SELECT h.*, %d + n.n * %d + h.rowid * 7919000 %% %[2]d AS at FROM hosts h, n)
		INSERT INTO %s %s SELECT %s FROM p`, start.Add(-3*month).UnixMilli(), (month - time.Hour).Milliseconds(), table, columns, values)
}

// TestCopies holds that copies are as good as hosts that were enrolled.
func TestCopies(t *testing.T) {
	f := largeFleet(t, 2*originals)
	counts, err := f.store.FleetCounts(t.Context())
	must(t, err)
	if counts.Total != 2*originals || counts.Status["noncompliant"] != 2*originals/50 {
		t.Errorf("counts = %+v, want %d hosts, one in fifty noncompliant", counts, 2*originals)
	}
	h, err := f.store.Host(t.Context(), inventory.HostID("id-"+largeName(originals+50)))
	must(t, err)
	found, err := f.store.Findings(t.Context(), store.FindingFilter{Host: h.ID})
	if err != nil || len(found) != 1 || found[0].HostName != largeName(originals+50) || h.Labels["role"] != "web" {
		t.Errorf("the copy %+v has the findings %+v, %v", h, found, err)
	}
}
