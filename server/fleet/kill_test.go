package fleet

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
	"plumb/testenv/postgres"
)

// childEnv makes the test binary the server that is killed; its value is the database.
const childEnv = "PLUMB_FLEET_TEST_DB"

// killHosts is how many hosts report at once.
const killHosts = 4

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		fmt.Fprintln(os.Stderr, ingest(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// ingest takes reports until it is killed, and prints host and number of each that it has
// acknowledged. Each host begins a few reports before the newest one, as an agent does that
// never saw the answer. Every other host sends its results within the check-in.
func ingest(path string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, path)
	if err != nil {
		return err
	}
	f := &Fleet{Store: s}
	errs := make(chan error)
	for n := range killHosts {
		go func() { errs <- ingestHost(ctx, f, n) }()
	}
	return <-errs
}

func ingestHost(ctx context.Context, f *Fleet, n int) error {
	a := &agent{fleet: f, id: killID(n), epoch: "epoch-1", objects: map[string][]byte{}, inline: n%2 == 0}
	accepted, err := f.Store.Accepted(ctx, a.id, a.epoch)
	if err != nil {
		return err
	}
	a.seq = accepted - min(accepted, 3)
	var pending []policies.Report
	for {
		pending = append(pending, killReport(a))
		if lost() {
			continue // the request
		}
		answer, err := a.deliver(ctx, pending[len(pending)-1].Finished, pending...)
		if err != nil {
			return err
		}
		if lost() {
			continue // the answer
		}
		fmt.Printf("%d %d\n", n, answer.Accepted)
		pending = slices.DeleteFunc(pending, func(r policies.Report) bool { return r.Seq <= answer.Accepted })
	}
}

// lost tells of a tenth of all messages that they never arrive.
func lost() bool { return rand.IntN(10) == 0 }

// killReport is the next report: every one repairs something, and two results take turns.
func killReport(a *agent) policies.Report {
	found := outcome{"a": policies.Repaired, "b": policies.Noncompliant}
	if a.seq%2 == 0 {
		found["b"] = policies.Compliant
	}
	return a.report(1, found, killTime(a.seq+1))
}

func killID(n int) inventory.HostID    { return inventory.HostID(fmt.Sprintf("host%d", n)) }
func killTime(seq uint64) time.Time    { return start.Add(time.Duration(seq) * time.Second) }
func (c *killCheck) name(n int) string { return fmt.Sprintf("kill%d", n) }

// killCheck remembers what was checked up to the kill before.
type killCheck struct {
	dsn     string
	acked   [killHosts]uint64
	checked [killHosts]uint64
}

// TestKilledServerLosesAndRepeatsNothing kills a server at random moments, while a tenth of requests and of answers are
// lost. What it has acknowledged must be there, and nothing may be there twice.
func TestKilledServerLosesAndRepeatsNothing(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { killServers(t, filepath.Join(t.TempDir(), "plumb.db"), 5000) })
	t.Run("postgres", func(t *testing.T) {
		server, err := postgres.Start(false)
		if err != nil {
			t.Skip(err)
		}
		defer server.Stop()
		dsn, err := server.Database()
		must(t, err)
		killServers(t, dsn, 1000)
	})
}

// killServers kills ten times, or as often as a long run wants.
func killServers(t *testing.T, dsn string, long int) {
	kills := 10
	if os.Getenv("PLUMB_SOAK") != "" {
		kills = long
	}
	c := &killCheck{dsn: dsn}
	c.setUp(t)
	for i := range kills {
		if rand.IntN(3) == 0 { // some die while they start
			c.kill(t, nobody)
			c.check(t)
		}
		c.kill(t, i%killHosts)
		c.check(t)
		if i%100 == 99 {
			t.Logf("%d kills: %v reports stored", i+1, c.checked)
		}
	}
	for n := range killHosts {
		if c.checked[n] < uint64(kills)/10 {
			t.Errorf("host %d got only %d reports stored in %d kills", n, c.checked[n], kills)
		}
	}
	t.Logf("%d kills: %v reports stored", kills, c.checked)
}

func (c *killCheck) setUp(t *testing.T) {
	s, err := store.Open(t.Context(), c.dsn)
	must(t, err)
	defer s.Close()
	for n := range killHosts {
		must(t, s.CreateToken(t.Context(), store.Token{ID: c.name(n), Hash: c.name(n)}))
		h := store.Host{Host: inventory.Host{ID: killID(n), Name: c.name(n)}, Key: c.name(n)}
		must(t, s.CreateHost(t.Context(), h, c.name(n), start))
	}
}

// nobody is what kill waits for when it does not wait.
const nobody = -1

// kill runs a server, kills it a random time after it answered one of the hosts, and notes what it had acknowledged. On a busy
// machine the others may not get their turn: who is waited for has to change.
func (c *killCheck) kill(t *testing.T, answered int) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+c.dsn)
	out, err := cmd.StdoutPipe()
	must(t, err)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	must(t, cmd.Start())
	life := time.Duration(rand.IntN(200)) * time.Millisecond
	timer := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer timer.Stop()
	if answered == nobody {
		timer.Reset(life)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var n int
		var seq uint64
		if _, err := fmt.Sscanf(lines.Text(), "%d %d", &n, &seq); err != nil {
			continue
		}
		c.acked[n] = max(c.acked[n], seq)
		if n == answered {
			timer.Reset(life)
			answered = nobody
		}
	}
	cmd.Wait()
	if end := cmd.ProcessState.String(); end != "signal: killed" {
		t.Fatalf("the server was not killed but ended with %s: %s", end, stderr.String())
	}
}

// settle waits until PostgreSQL is through with what the killed server had sent: a commit on its way counts, and must
// not come between two looks.
func (c *killCheck) settle(t *testing.T) {
	if !strings.HasPrefix(c.dsn, "postgres://") {
		return
	}
	db, err := sql.Open("pgx", c.dsn)
	must(t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	for left := 1; left > 0; {
		must(t, db.QueryRow(`SELECT COUNT(*), COALESCE(MAX(pg_sleep(0.002)::text), '') FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`).Scan(&left, new(string)))
	}
}

func (c *killCheck) check(t *testing.T) {
	c.settle(t)
	s, err := store.Open(t.Context(), c.dsn)
	must(t, err)
	defer s.Close()
	c.checkStore(t, s)
}

func (c *killCheck) checkStore(t *testing.T, s *store.Store) {
	for n := range killHosts {
		accepted, err := s.Accepted(t.Context(), killID(n), "epoch-1")
		must(t, err)
		if accepted < c.acked[n] {
			t.Fatalf("host %d: report %d was acknowledged, but only %d are stored", n, c.acked[n], accepted)
		}
		c.events(t, s, n, accepted)
		c.intervals(t, s, n, accepted)
		c.checked[n] = accepted
	}
}

// events must be there for each report since the last check, once and in order.
func (c *killCheck) events(t *testing.T, s *store.Store, n int, accepted uint64) {
	events, err := s.Events(t.Context(), store.EventFilter{Host: killID(n), Kinds: []string{store.EventRepaired},
		Since: killTime(c.checked[n] + 1), Limit: 1_000_000})
	must(t, err)
	if uint64(len(events)) != accepted-c.checked[n] {
		t.Fatalf("host %d: %d repairs are stored for reports %d to %d", n, len(events), c.checked[n]+1, accepted)
	}
	for i, e := range events {
		if want := accepted - uint64(i); e.Seq != want {
			t.Fatalf("host %d: event %d is of report %d, want %d", n, i, e.Seq, want)
		}
	}
}

// intervals must follow each other without a gap, one for each report.
func (c *killCheck) intervals(t *testing.T, s *store.Store, n int, accepted uint64) {
	fresh := int(accepted-c.checked[n]) + 1
	intervals, err := s.Intervals(t.Context(), killID(n), fresh)
	must(t, err)
	if len(intervals) != fresh {
		t.Fatalf("host %d: %d intervals are stored, want %d", n, len(intervals), fresh)
	}
	until := time.Time{}
	for i, one := range intervals {
		if !one.Until.Equal(until) {
			t.Fatalf("host %d: interval %d from %s ends at %s, the next begins at %s", n, i, one.Since, one.Until, until)
		}
		if want := killTime(accepted - uint64(i)); accepted > uint64(i) && !one.Since.Equal(want) {
			t.Fatalf("host %d: interval %d begins at %s, want %s", n, i, one.Since, want)
		}
		until = one.Since
	}
}
