package agent

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/policies"
)

// long returns how often to do something: few times as a rule, many when PLUMB_SOAK asks for it.
func long(few, many int) int {
	if os.Getenv("PLUMB_SOAK") == "1" {
		return many
	}
	return few
}

// repairs counts, over all reports that the server got, the resources that were repaired.
func (r *rig) repairs() (n int) {
	r.t.Helper()
	for _, report := range r.Reports() {
		var result policies.Result
		if report.Result == "" {
			continue
		}
		if err := json.Unmarshal(r.Object(report.Result), &result); err != nil {
			r.t.Fatal(err)
		}
		n += result.Counts()[policies.Repaired]
	}
	return n
}

// contiguous checks that the reports of the newest epoch came in order and without a gap.
func (r *rig) contiguous() {
	r.t.Helper()
	last := policies.Report{}
	for _, report := range r.Reports() {
		if report.Epoch == last.Epoch && report.Seq != last.Seq+1 {
			r.t.Fatalf("report %d came after %d", report.Seq, last.Seq)
		}
		last = report
	}
}

// F14: however the host's clock jumps, no lease is taken that has run out, drift is mended, each repair
// is told, and once the clock is right again so is everything else.
func TestClockThatJumps(t *testing.T) {
	for _, how := range []string{"https://", "ssh://"} { // over SSH no certificate stands between a clock and a lease
		t.Run(how, func(t *testing.T) { jump(t, how) })
	}
}

func jump(t *testing.T, how string) {
	const years = 10 * 365 * 24 * time.Hour
	jumps := long(40, 5000)
	r := newRig(t)
	r.agent.Built = time.Now().Add(-time.Hour)
	one := r.publish(1, 0, r.tree("one"))
	r.enroll(how)
	r.round()
	two := r.publish(2, 1, r.tree("two"))
	chance := rand.New(rand.NewPCG(14, 0))
	before, refused := r.repairs(), 0
	for i := range jumps {
		r.clock = time.Duration(chance.Int64N(int64(2*years))) - years
		r.Assign(one)
		r.Answers(nil)
		if i%3 == 0 {
			r.Answers(func(a *protocol.Answer) {
				l := r.expired(two)
				l.Issued, l.Expires = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
				a.Lease = r.Sign(l)
			})
		}
		r.spoil()
		if out := r.round(); out.Problem != "" {
			refused++
		}
		if r.want("one", 1); t.Failed() {
			t.Fatalf("at jump %d, to %v", i, r.clock)
		}
		if (i+1)%1000 == 0 {
			t.Logf("%d jumps", i+1)
		}
	}
	r.clock = 0
	r.Answers(nil)
	r.Assign(two)
	if out := r.round(); out.Called != nil || out.Problem != "" {
		t.Errorf("with a right clock again: %+v", out)
	}
	r.want("two", 2)
	r.contiguous()
	if told := r.repairs() - before; told != jumps+1 {
		t.Errorf("%d repairs were told, want %d", told, jumps+1)
	}
	t.Logf("%d jumps, %d leases refused", jumps, refused)
}

// F15: a server that is away for days costs nothing but time: drift is mended in each round, and each
// report arrives in the end.
func TestServerAwayForDays(t *testing.T) {
	rounds := long(72, 7*24*12) // of five minutes each
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	before := r.repairs()
	r.Before(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	for i := range rounds {
		r.clock += 5 * time.Minute
		r.spoil()
		out, err := r.agent.Round(context.Background(), i%12 == 0)
		if err != nil || r.motd() != "one" {
			t.Fatalf("round %d: %+v, %v; /motd is %q", i, out, err, r.motd())
		}
	}
	r.Before(nil)
	r.clock = 0
	r.round()
	r.contiguous()
	if told := r.repairs() - before; told != rounds {
		t.Errorf("%d repairs were told, want %d", told, rounds)
	}
	if reports := r.Reports(); rounds > 500 && !reports[len(reports)-2].Stale {
		t.Error("a week without a lease was not told as stale")
	}
}
