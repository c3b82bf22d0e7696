package agent

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/agent/testserver"
	"plumb/policies/bundle"
)

// T04: the same valid lease for ever freezes nobody's drift repair, but lets nothing new in.
func TestExpiredLeaseTakesNoRelease(t *testing.T) {
	r := newRig(t)
	one := r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	frozen := r.Lease(one)
	r.Answers(func(a *protocol.Answer) { a.Lease = frozen })
	r.round()
	r.clock = 25 * time.Hour
	r.spoil()
	out := r.round()
	r.want("one", 1)
	last := r.Reports()[len(r.Reports())-1]
	if !last.Stale || !strings.Contains(out.Problem, "ran out") {
		t.Errorf("stale = %t, problem = %q", last.Stale, out.Problem)
	}
	two := r.publish(2, 1, r.tree("two"))
	r.Answers(func(a *protocol.Answer) { a.Lease = r.Sign(r.expired(two)) })
	r.round()
	r.want("one", 1)
}

func (r *rig) expired(l protocol.Lease) protocol.Lease {
	id, err := r.agent.Dir.Identity()
	if err != nil {
		panic(err)
	}
	l.Host, l.Counter = id.Host.ID, 1e15
	l.Issued = time.Now()
	l.Expires = l.Issued.Add(24 * time.Hour)
	return l
}

// T03: leases v1..v20 replayed in every pair, v1..v50 in the long run, also after a restart and after
// the loss of a copy of the floors.
func TestRollbackMatrix(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("1"))
	r.enroll("")
	most := long(20, 50)
	signed := make([]string, most+1)
	for v := uint64(1); v <= uint64(most); v++ {
		signed[v] = r.Lease(r.publish(v, v-1, r.tree(fmt.Sprint(v))))
	}
	for j := 1; j <= most; j++ {
		serve := func(v int) Outcome {
			r.Answers(func(a *protocol.Answer) { a.Lease = signed[v] })
			return r.round()
		}
		serve(j)
		r.want(fmt.Sprint(j), uint64(j))
		os.Remove(filepath.Join(r.agent.Dir.Path, []string{"floors.a", "floors.b"}[j%2]))
		for i := 1; i < j; i++ {
			if out := serve(i); !strings.Contains(out.Problem, "went back") {
				t.Fatalf("lease %d after %d: problem = %q", i, j, out.Problem)
			}
		}
		r.want(fmt.Sprint(j), uint64(j))
	}
}

func TestStepBackAsFarAsTheNewestAllows(t *testing.T) {
	r := newRig(t)
	var body [6]protocol.Lease
	for v := uint64(1); v <= 5; v++ {
		body[v] = r.publish(v, v-1, r.tree(fmt.Sprint(v)))
	}
	r.enroll("")
	r.round()
	r.want("5", 5)
	r.Assign(body[3])
	if out := r.round(); !strings.Contains(out.Problem, "older than 4") {
		t.Errorf("problem = %q", out.Problem)
	}
	r.want("5", 5)
	r.Assign(body[4])
	r.round()
	r.want("4", 4)
	r.Assign(body[5])
	r.round()
	r.want("5", 5)
}

// T20: what the server's owner signs himself runs nowhere.
func TestForeignReleaseRunsNowhere(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	r.Publish(t, 2, 1, r.tree("evil"), testserver.NewKey(t))
	if out := r.round(); !strings.Contains(out.Problem, "not pinned") {
		t.Errorf("problem = %q", out.Problem)
	}
	r.want("one", 1)
	mixed := r.publish(3, 1, r.tree("three"))
	mixed.Bundle = r.publish(4, 1, r.tree("four")).Bundle
	r.Assign(mixed)
	if out := r.round(); !strings.Contains(out.Problem, "another bundle") {
		t.Errorf("problem = %q", out.Problem)
	}
	r.want("one", 1)
}

func TestBundleOfOtherBytesIsRefused(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	r.publish(2, 1, r.tree("two"))
	r.Before(func(w http.ResponseWriter, req *http.Request) bool {
		if !strings.HasPrefix(req.URL.Path, protocol.PathBundles) {
			return false
		}
		raw, _ := bundle.Pack(r.tree("TWO"))
		w.Write(raw)
		return true
	})
	if out := r.round(); !strings.Contains(out.Problem, "digest") {
		t.Errorf("problem = %q", out.Problem)
	}
	r.want("one", 1)
	r.Before(nil)
	r.round()
	r.want("two", 2)
}

// A host whose clock fell back to 1970 can still enrol, check in and take a release; and turning
// the clock back does not make an old lease good again.
func TestClockThatFellBack(t *testing.T) {
	r := newRig(t)
	r.agent.Built = time.Now().Add(-time.Hour)
	r.clock = -50 * 365 * 24 * time.Hour
	one := r.publish(1, 0, r.tree("one"))
	r.enroll("")
	if out := r.round(); out.Called != nil || out.Problem != "" {
		t.Fatalf("Round = %+v", out)
	}
	r.want("one", 1)
	r.Answers(func(a *protocol.Answer) {
		l := r.expired(one)
		l.Issued, l.Expires = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
		a.Lease = r.Sign(l)
	})
	if out := r.round(); !strings.Contains(out.Problem, "ran out") {
		t.Errorf("problem = %q", out.Problem)
	}
}

// T05: parts of ten releases, of fifty in the long run, put together at random are a release nowhere.
func TestMixedReleasesAreRefused(t *testing.T) {
	r := newRig(t)
	newest := long(10, 50)
	body := make([]protocol.Lease, newest+1)
	for v := uint64(1); v <= uint64(newest); v++ {
		body[v] = r.publish(v, 0, r.tree(fmt.Sprint(v)))
	}
	r.enroll("")
	r.round()
	want := func() { t.Helper(); r.want(fmt.Sprint(newest), uint64(newest)) }
	want()
	chance := rand.New(rand.NewPCG(5, 0))
	for range long(40, 1000) {
		a, b, c := 1+chance.IntN(newest), 1+chance.IntN(newest), 1+chance.IntN(newest)
		if a == b && b == c {
			continue
		}
		r.Assign(protocol.Lease{Release: body[a].Release, Tag: body[b].Tag, Bundle: body[c].Bundle})
		if out := r.round(); out.Problem == "" && b != newest {
			t.Errorf("release %d with the tag of %d and the bundle of %d was taken", a, b, c)
		}
		want()
	}
	far := body[newest]
	far.Release = 1<<63 - 1
	r.Assign(far)
	r.round()
	want()
	r.Assign(r.publish(uint64(newest)+1, uint64(newest), r.tree("after all that"))) // nothing is stuck
	r.round()
	r.want("after all that", uint64(newest)+1)
}

// F12: a server without room for reports can still say what to run; the reports wait here.
func TestServerWithoutRoom(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	full := func(w http.ResponseWriter, req *http.Request) bool {
		raw, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		req.Body = io.NopCloser(bytes.NewReader(raw))
		var in protocol.CheckIn
		if req.URL.Path == protocol.PathCheckIn && json.Unmarshal(raw, &in) == nil && len(in.Reports) == 0 {
			return false
		}
		if req.Method == http.MethodGet {
			return false
		}
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusInsufficientStorage)
		return true
	}
	r.Before(full)
	for v := uint64(2); v < 5; v++ {
		r.publish(v, v-1, r.tree(fmt.Sprint(v)))
		r.round() // takes the release, and fails to hand over its report
		if out := r.round(); !noRoom(out.Called) {
			t.Errorf("Called = %v, want that there is no room", out.Called)
		}
		r.want(fmt.Sprint(v), v)
	}
	had := len(r.Reports())
	r.Before(nil)
	r.round()
	if got := len(r.Reports()); got < had+3 {
		t.Errorf("%d reports arrived, and %d before: those of three releases are missing", got, had)
	}
}
