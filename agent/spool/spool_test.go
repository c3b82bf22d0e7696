package spool

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies"
)

func mustOpen(t *testing.T, dir string) *Spool {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func object(text string) (string, []byte) {
	raw, _ := json.Marshal(text)
	return inventory.Digest(raw), raw
}

func add(t *testing.T, s *Spool, n int) policies.Report {
	t.Helper()
	digest, raw := object(fmt.Sprint("facts ", n))
	r, err := s.Add(policies.Report{Facts: digest, Started: time.Unix(int64(n), 0).UTC()}, map[string][]byte{digest: raw})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func pending(t *testing.T, s *Spool) []uint64 {
	t.Helper()
	list, err := s.Pending(64)
	if err != nil {
		t.Fatal(err)
	}
	seqs := []uint64{}
	for _, r := range list {
		if r.Epoch != s.Epoch() {
			t.Errorf("report %d has the epoch %s, want %s", r.Seq, r.Epoch, s.Epoch())
		}
		seqs = append(seqs, r.Seq)
	}
	return seqs
}

func TestReportsStayUntilAcknowledged(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	for n := range 3 {
		add(t, s, n+1)
	}
	s = mustOpen(t, dir)
	if got := pending(t, s); fmt.Sprint(got) != "[1 2 3]" {
		t.Fatalf("after a restart %v wait", got)
	}
	if err := s.Ack("another epoch", 3); err != nil || s.Len() != 3 {
		t.Fatalf("word about another epoch removed reports: %v", err)
	}
	if err := s.Ack(s.Epoch(), 2); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir)
	if got := pending(t, s); fmt.Sprint(got) != "[3]" {
		t.Errorf("after the acknowledgement %v wait, want [3]", got)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "objects")); len(left) != 1 {
		t.Errorf("%d objects are left, want 1", len(left))
	}
	if err := s.Ack(s.Epoch(), 3); err != nil {
		t.Fatal(err)
	}
	if r := add(t, mustOpen(t, dir), 4); r.Seq != 4 {
		t.Errorf("the next number is %d, want 4", r.Seq)
	}
	if got := mustOpen(t, dir).Started(); !got.Equal(time.Unix(4, 0)) {
		t.Errorf("Started = %s", got)
	}
}

func TestRestoredSidesGetANewEpoch(t *testing.T) {
	for name, accepted := range map[string]uint64{"server restored": 1, "host restored": 9} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := mustOpen(t, dir)
			for n := range 3 {
				add(t, s, n)
			}
			if err := s.Ack(s.Epoch(), 2); err != nil {
				t.Fatal(err)
			}
			old := s.Epoch()
			if err := s.Ack(old, accepted); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, dir)
			if s.Epoch() == old {
				t.Fatal("the epoch is the same")
			}
			if got := pending(t, s); fmt.Sprint(got) != "[1]" {
				t.Errorf("%v wait, want the one report as number 1", got)
			}
			if err := s.Ack(s.Epoch(), 1); err != nil || s.Len() != 0 {
				t.Errorf("%d reports wait after the new epoch was acknowledged, %v", s.Len(), err)
			}
		})
	}
}

func TestLostNumbersGetANewEpoch(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	add(t, s, 1)
	old := s.Epoch()
	if err := os.WriteFile(filepath.Join(dir, "meta.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir)
	if s.Epoch() == old || fmt.Sprint(pending(t, s)) != "[1]" {
		t.Errorf("epoch %s, reports %v", s.Epoch(), pending(t, s))
	}
}

func TestDamagedReportKeepsItsNumber(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir)
	add(t, s, 1)
	add(t, s, 2)
	if err := os.WriteFile(s.reportPath(1), []byte("{torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := mustOpen(t, dir).Pending(64)
	if err != nil || len(list) != 2 || list[0].Problem == "" || list[0].Seq != 1 {
		t.Errorf("Pending = %+v, %v", list, err)
	}
}

func addResult(t *testing.T, s *Spool, n int) {
	t.Helper()
	result, err := json.Marshal(policies.Result{Resources: []policies.ResourceResult{{Address: "file.a", Status: policies.Repaired,
		Changes: []policies.Change{{Attribute: "content", Diff: strings.Repeat("x", 4000)}}, Message: fmt.Sprint(n)}}})
	if err != nil {
		t.Fatal(err)
	}
	digest := inventory.Digest(result)
	catalog, raw := object("the catalog")
	if _, err := s.Add(policies.Report{Catalog: catalog, Result: digest}, map[string][]byte{digest: result, catalog: raw}); err != nil {
		t.Fatal(err)
	}
}

func TestFullSpoolLosesDetailBeforeStatus(t *testing.T) {
	dir := t.TempDir()
	s, err := open(dir, 20_000)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 12 {
		addResult(t, s, n)
	}
	if full, err := s.full(); err != nil || full {
		t.Errorf("the spool is still full: %v", err)
	}
	list, err := s.Pending(64)
	if err != nil || len(list) != 12 {
		t.Fatalf("%d reports wait, %v; want all 12", len(list), err)
	}
	for i, r := range list {
		raw, err := s.Object(r.Result)
		if err != nil {
			t.Fatalf("report %d lost its statuses: %v", i, err)
		}
		if !bytes.Contains(raw, []byte("repaired")) {
			t.Errorf("report %d lost its status", i)
		}
		if oldest, newest := i == 0, i == 11; oldest && len(raw) > 1000 || newest && len(raw) < 4000 {
			t.Errorf("report %d has %d bytes of detail", i, len(raw))
		}
	}
}

func TestOverfullSpoolKeepsEveryNumber(t *testing.T) {
	s, err := open(t.TempDir(), 6_000)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 12 {
		addResult(t, s, n)
	}
	if got := pending(t, s); len(got) != 12 {
		t.Errorf("%v wait, want all 12", got)
	}
	list, _ := s.Pending(64)
	if list[0].Result != "" || list[0].Problem == "" || list[11].Result == "" {
		t.Errorf("the oldest report is %+v, the newest %+v", list[0], list[11])
	}
}

func TestLostObjectDoesNotHoldReportsUp(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	addResult(t, s, 1)
	list, _ := s.Pending(1)
	if err := s.Lost(list[0].Result); err != nil {
		t.Fatal(err)
	}
	list, _ = s.Pending(1)
	if list[0].Result != "" || list[0].Catalog != "" || list[0].Problem == "" || list[0].Seq != 1 {
		t.Errorf("the report is %+v", list[0])
	}
}

// ledger stands for the server of TestExactlyOnceUnderKill: a file to which each accepted report
// is appended. It takes what follows on its last number, as the protocol says.
type ledger struct{ path string }

func (l ledger) accepted() (epoch string, seq uint64, starts []string) {
	raw, _ := os.ReadFile(l.path)
	for _, line := range strings.Split(string(raw), "\n") {
		f := strings.Fields(line)
		if len(f) == 3 {
			fmt.Sscan(f[1], &seq)
			epoch, starts = f[0], append(starts, f[2])
		}
	}
	return epoch, seq, starts
}

func (l ledger) take(list []policies.Report) (string, uint64) {
	epoch, seq, _ := l.accepted()
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	for _, r := range list {
		if r.Epoch != epoch {
			epoch, seq = r.Epoch, 0
		}
		if r.Seq == seq+1 {
			seq = r.Seq
			fmt.Fprintf(f, "%s %d %d\n", r.Epoch, r.Seq, r.Started.UnixNano())
		}
	}
	return epoch, seq
}

// TestMain turns this program into the agent that gets killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("PLUMB_SPOOL_CHILD"); dir != "" {
		spoolForEver(dir)
	}
	os.Exit(m.Run())
}

// spoolForEver notes on stdout each report that is safe, and hands some over.
func spoolForEver(dir string) {
	server := ledger{filepath.Join(dir, "ledger")}
	s, err := Open(filepath.Join(dir, "spool"))
	for n := 0; err == nil; n++ {
		started := time.Now().UTC()
		digest, raw := object(fmt.Sprint(n % 3))
		if _, err = s.Add(policies.Report{Facts: digest, Started: started}, map[string][]byte{digest: raw}); err != nil {
			break
		}
		fmt.Println(started.UnixNano())
		if n%3 == 0 {
			continue
		}
		list, _ := s.Pending(64)
		epoch, seq := server.take(list)
		if n%2 == 0 {
			continue // the answer was lost
		}
		err = s.Ack(epoch, seq)
	}
	panic(err)
}

// killOne lets an agent live for a moment and returns the reports that it called safe.
func killOne(t *testing.T, dir string) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PLUMB_SPOOL_CHILD="+dir)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(10+rand.Intn(60)) * time.Millisecond) // a real process has real time
	cmd.Process.Kill()
	cmd.Wait()
	if end := cmd.ProcessState.String(); end != "signal: killed" {
		t.Fatalf("the agent was not killed but ended with %s", end)
	}
	return strings.Fields(out.String())
}

func TestExactlyOnceUnderKill(t *testing.T) {
	kills := 20
	if os.Getenv("PLUMB_SOAK") == "1" {
		kills = 5000
	}
	dir := t.TempDir()
	safe := map[string]bool{}
	for i := 0; i < kills || len(safe) < kills && i < 10*kills; i++ { // on a busy machine many lives are too short
		for _, line := range killOne(t, dir) {
			safe[line] = true
		}
	}
	s := mustOpen(t, filepath.Join(dir, "spool"))
	server := ledger{filepath.Join(dir, "ledger")}
	for s.Len() > 0 {
		list, err := s.Pending(64)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Ack(server.take(list)); err != nil {
			t.Fatal(err)
		}
	}
	counted := map[string]int{}
	_, _, starts := server.accepted()
	for _, start := range starts {
		counted[start]++
	}
	for start := range safe {
		if counted[start] != 1 {
			t.Errorf("the report of %s was counted %d times", start, counted[start])
		}
	}
	for start, n := range counted {
		if n != 1 {
			t.Errorf("the report of %s was counted %d times", start, n)
		}
	}
	if len(safe) < kills {
		t.Errorf("only %d reports in %d lives: the test proves nothing", len(safe), kills)
	}
}

func FuzzDamagedReport(f *testing.F) {
	f.Add([]byte(`{"seq":1,"epoch":"e","facts":"../../etc/passwd"}`))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		s := mustOpen(t, dir)
		add(t, s, 1)
		if err := os.WriteFile(s.reportPath(1), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, dir)
		if list, err := s.Pending(1); err != nil || len(list) != 1 || list[0].Seq != 1 {
			t.Errorf("Pending = %+v, %v", list, err)
		}
	})
}

func TestLostOffersCostNothingElse(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	facts, rawFacts := object("facts")
	offers, rawOffers := object("offers")
	result, rawResult := object("result")
	_, err := s.Add(policies.Report{Facts: facts, Catalog: facts, Result: result, Offers: offers},
		map[string][]byte{facts: rawFacts, offers: rawOffers, result: rawResult})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Object(offers); err != nil {
		t.Fatal(err)
	}
	if err := s.Lost(offers); err != nil {
		t.Fatal(err)
	}
	list, _ := s.Pending(1)
	if list[0].Offers != "" || list[0].Result != result || list[0].Problem != "" {
		t.Errorf("the report is %+v", list[0])
	}
}
