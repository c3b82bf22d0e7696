package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"plumb/inventory"
)

// statements are those that the writer of SQLite keeps prepared from one transaction to the next.
// PostgreSQL's driver does that by itself.
type statements struct {
	mu       sync.Mutex
	prepared map[string]*sql.Stmt
	asked    map[string]bool
}

// transaction is what belongs to one transaction besides its tx; it travels in the context.
type transaction struct {
	known map[string]*sql.Stmt // prepared before it began
	own   map[string]*sql.Stmt // the same, bound to it
	asked map[string]bool
	// conn is the connection to PostgreSQL that it uses.
	conn *pgx.Conn
	// touched are the hosts whose rows it wrote, each with the row that it leaves where that is known.
	touched map[inventory.HostID]*Host
	// called are those whose heartbeats it wrote.
	called []inventory.HostID
	// told are those of whose past it wrote an interval or an event.
	told []inventory.HostID
	// advised tells that it wrote advisories.
	advised bool
	// committed tells that all of it counts.
	committed bool
}

type transactionKey struct{}

func transactionOf(ctx context.Context) *transaction {
	t, _ := ctx.Value(transactionKey{}).(*transaction)
	return t
}

// begin returns a context for a transaction that is about to begin. What was asked for before is
// prepared now: within a transaction the only connection of the writer is taken.
func (s *Store) begin(ctx context.Context) context.Context {
	t := &transaction{own: map[string]*sql.Stmt{}, asked: map[string]bool{}, touched: map[inventory.HostID]*Host{}}
	if !s.postgres {
		t.known = s.statements.all(ctx, s.w)
	}
	return context.WithValue(ctx, transactionKey{}, t)
}

func (s *statements) all(ctx context.Context, db *sql.DB) map[string]*sql.Stmt {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) == 0 {
		return s.prepared
	}
	next := map[string]*sql.Stmt{}
	for query, stmt := range s.prepared {
		next[query] = stmt
	}
	for query := range s.asked {
		if stmt, err := db.PrepareContext(ctx, query); err == nil { //nolint:sqlclosecheck // it is kept; else it is tried the slow way, which says what is wrong
			next[query] = stmt
		}
	}
	s.prepared, s.asked = next, nil
	return next
}

// end notes what should be prepared for the next transaction, and how it left the hosts that it wrote.
func (s *Store) end(ctx context.Context) {
	t := transactionOf(ctx)
	if !t.committed {
		t.undo()
	}
	s.callers.settle(t.touched)
	s.roster.note(append(t.called, slices.Collect(maps.Keys(t.touched))...))
	if !s.postgres {
		s.versions.raise(t.told)
	}
	if t.advised {
		s.library.change()
	}
	if s.postgres || len(t.asked) == 0 {
		return
	}
	s.statements.mu.Lock()
	defer s.statements.mu.Unlock()
	if s.statements.asked == nil {
		s.statements.asked = map[string]bool{}
	}
	for query := range t.asked {
		s.statements.asked[query] = s.statements.prepared[query] == nil
	}
}

// execute is tx.ExecContext for a statement that comes again and again, always in the same words.
func execute(ctx context.Context, tx *sql.Tx, query string, args ...any) (sql.Result, error) {
	if stmt := bound(ctx, tx, query); stmt != nil { //nolint:sqlclosecheck // the transaction closes it
		return stmt.ExecContext(ctx, args...)
	}
	return tx.ExecContext(ctx, query, args...)
}

// query is tx.QueryContext for a statement that comes again and again, always in the same words.
func query(ctx context.Context, tx *sql.Tx, query string, args ...any) (*sql.Rows, error) {
	if stmt := bound(ctx, tx, query); stmt != nil { //nolint:sqlclosecheck // the transaction closes it
		return stmt.QueryContext(ctx, args...)
	}
	return tx.QueryContext(ctx, query, args...)
}

func bound(ctx context.Context, tx *sql.Tx, query string) *sql.Stmt {
	t := transactionOf(ctx)
	if t == nil {
		return nil
	}
	if stmt := t.own[query]; stmt != nil {
		return stmt
	}
	stmt := t.known[query]
	if stmt == nil {
		t.asked[query] = true
		return nil
	}
	t.own[query] = tx.StmtContext(ctx, stmt)
	return t.own[query]
}

// touch says that a transaction writes the row of a host. Everything that does so has to say it.
func touch(ctx context.Context, id inventory.HostID) {
	if t := transactionOf(ctx); t != nil {
		t.touched[id] = nil
	}
}

// leave says how the row of a host, which was touched, stands for now. Who writes it again touches it again.
func leave(ctx context.Context, h Host) {
	if t := transactionOf(ctx); t != nil {
		t.touched[h.ID] = &h
	}
}

// noteCalls says that a transaction writes heartbeats, which Caller need not know.
func noteCalls(ctx context.Context, ids []inventory.HostID) {
	if t := transactionOf(ctx); t != nil {
		t.called = append(t.called, ids...)
	}
}

// undo forgets how rows were left: some of the work was undone.
func (t *transaction) undo() {
	for id := range t.touched {
		t.touched[id] = nil
	}
}

// execRows does an INSERT or UPDATE with all of the rows, which have one kind of value in each column,
// and returns how many rows it wrote. PostgreSQL gets them in one statement, whose parameters are
// columns: of INSERT … VALUES ($1, …) it makes INSERT … SELECT … FROM unnest, and of an UPDATE
// that names its parameters as v.$n an UPDATE … FROM.
func (s *Store) execRows(ctx context.Context, tx *sql.Tx, query string, rows [][]any) (int64, error) {
	if len(rows) == 0 {
		return 0, nil
	}
	if s.postgres {
		result, err := tx.ExecContext(ctx, inColumns(query, rows[0]), columnsOf(rows)...)
		if err != nil {
			return 0, err
		}
		return result.RowsAffected()
	}
	var all int64
	wide, insert := ofRows(query, len(rows[0]))
	for len(rows) > 0 {
		statement, some := query, rows[:1]
		if insert && len(rows) >= rowsAtOnce {
			statement, some = wide, rows[:rowsAtOnce]
		}
		rows = rows[len(some):]
		result, err := execute(ctx, tx, statement, slices.Concat(some...)...)
		if err != nil {
			return all, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return all, err
		}
		all += n
	}
	return all, nil
}

// rowsAtOnce is how many rows go to SQLite in one INSERT when there are so many: that costs less than one by one.
const rowsAtOnce = 10

// ofRows makes an INSERT of rowsAtOnce rows of one that ends with the values of a row.
func ofRows(query string, columns int) (wide string, insert bool) {
	head, values, insert := strings.Cut(query, "VALUES (")
	row := "(?" + strings.Repeat(", ?", columns-1) + ")"
	return head + "VALUES " + row + strings.Repeat(", "+row, rowsAtOnce-1), insert && strings.HasSuffix(values, ")")
}

// inColumns is the statement for PostgreSQL whose parameters are columns.
func inColumns(query string, row []any) string {
	names, arrays := make([]string, len(row)), make([]string, len(row))
	for i, v := range row {
		names[i], arrays[i] = fmt.Sprintf("c%d", i+1), fmt.Sprintf("$%d::%s[]", i+1, columnType(v))
	}
	from := fmt.Sprintf("FROM unnest(%s) WITH ORDINALITY AS v (%s, ordinal)", strings.Join(arrays, ", "), strings.Join(names, ", "))
	head, tail, insert := strings.Cut(query, "VALUES (")
	if insert {
		_, tail, _ = strings.Cut(tail, ")")
		// In their order: what grows with each row grows as it does for single ones.
		return head + "SELECT v." + strings.Join(names, ", v.") + " " + from + " ORDER BY v.ordinal " + tail
	}
	for i := len(row); i > 0; i-- { // $12 before $1
		query = strings.ReplaceAll(query, fmt.Sprintf("$%d", i), "v."+names[i-1])
	}
	head, tail, where := strings.Cut(query, "WHERE ")
	if !where {
		return query
	}
	if strings.HasPrefix(query, "DELETE") {
		return head + strings.Replace(from, "FROM", "USING", 1) + " WHERE " + tail
	}
	return head + from + " WHERE " + tail
}

func columnType(v any) string {
	switch v.(type) {
	case int64:
		return "bigint"
	case []byte:
		return "bytea"
	}
	return "text"
}

// columnsOf turns rows into columns.
func columnsOf(rows [][]any) []any {
	columns := make([]any, len(rows[0]))
	for i, first := range rows[0] {
		switch first.(type) {
		case int64:
			columns[i] = column[int64](rows, i)
		case []byte:
			columns[i] = column[[]byte](rows, i)
		default:
			columns[i] = column[string](rows, i)
		}
	}
	return columns
}

func column[T any](rows [][]any, i int) []T {
	values := make([]T, len(rows))
	for n, row := range rows {
		values[n] = row[i].(T)
	}
	return values
}

// among selects rows by a list of values of a column. The list is one parameter.
func (s *Store) among(column string, values []string) (condition string, arg any) {
	if s.postgres {
		return column + ` = ANY($1)`, values
	}
	return column + ` IN (SELECT value FROM json_each($1))`, encode(slices.Clone(values))
}
