package agent

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
)

// listen notes what the host asks of its server; edit may change a check-in on its way.
func (r *rig) listen(edit func(*protocol.CheckIn)) *[]string {
	asked := &[]string{}
	r.Before(func(_ http.ResponseWriter, req *http.Request) bool {
		*asked = append(*asked, req.Method)
		if req.URL.Path != protocol.PathCheckIn {
			return false
		}
		var in protocol.CheckIn
		if err := json.NewDecoder(req.Body).Decode(&in); err != nil {
			r.t.Error(err)
		}
		edit(&in)
		raw, err := json.Marshal(in)
		if err != nil {
			r.t.Error(err)
		}
		req.Body = io.NopCloser(bytes.NewReader(raw))
		return false
	})
	return asked
}

func (r *rig) wantAsked(what string, got *[]string, want ...string) {
	r.t.Helper()
	if !slices.Equal(*got, want) {
		r.t.Errorf("%s: the host asked %q, want %q", what, *got, want)
	}
	*got = nil
}

// What a host found goes within the check-in, and is not sent again when the server has it.
func TestResultsGoWithinTheCheckIn(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	r.round()
	var sent int
	asked := r.listen(func(in *protocol.CheckIn) { sent += len(in.Objects) })
	r.spoil()
	r.round()
	r.wantAsked("a repair", asked, "POST", "POST") // at the begin of the round, and with the report
	r.round()
	r.wantAsked("all clear", asked, "POST", "POST")
	if sent != 2 {
		t.Errorf("%d results were sent of the repair and the all clear", sent)
	}
	r.clock += 2 * time.Hour
	r.round()
	r.wantAsked("still clear", asked, "POST", "POST")
	if sent != 2 {
		t.Error("a result was sent that the server had acknowledged before")
	}
	if n := len(r.Reports()); n != 5 {
		t.Errorf("%d reports arrived, want 5", n)
	}
}

// A server that does not know of results in check-ins, or cannot use them, asks for them.
func TestResultsThatAreNotTakenAreSentByThemselves(t *testing.T) {
	for name, edit := range map[string]func(*protocol.CheckIn){
		"older server": func(in *protocol.CheckIn) { in.Objects = nil },
		"damaged": func(in *protocol.CheckIn) {
			for digest := range in.Objects {
				in.Objects[digest] = []byte("damaged")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.publish(1, 0, r.tree("one"))
			r.enroll("")
			r.round()
			r.round()
			asked := r.listen(edit)
			r.spoil()
			r.round()
			r.wantAsked("a repair", asked, "POST", "POST", "PUT", "POST")
			if n := len(r.Reports()); n != 3 {
				t.Errorf("%d reports arrived, want 3", n)
			}
		})
	}
}

// spoolNoise has n reports wait, each with a result of 100 KiB that cannot be packed.
func (r *rig) spoolNoise(n int) {
	r.t.Helper()
	sp, err := r.agent.openSpool()
	if err != nil {
		r.t.Fatal(err)
	}
	for range n {
		result := make([]byte, 100<<10)
		_, _ = rand.Read(result)
		report := r.Reports()[0]
		report.Result = inventory.Digest(result)
		if _, err := sp.Add(report, map[string][]byte{report.Result: result}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// However much waits, a check-in has no more of it than the server reads.
func TestResultsInACheckInAreBounded(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	r.spoolNoise(9)
	var most int
	r.listen(func(in *protocol.CheckIn) {
		sum := 0
		for _, packed := range in.Objects {
			sum += len(packed)
		}
		most = max(most, sum)
	})
	r.round()
	if most == 0 || most > protocol.MaxObjects {
		t.Errorf("%d bytes of results came in one check-in; %d are the most", most, protocol.MaxObjects)
	}
	if n := len(r.Reports()); n < 10 {
		t.Errorf("%d reports arrived, want all 10", n)
	}
}

// F20: a check-in that is too heavy for its line gets lighter, and what it carried comes by itself.
func TestHeavyCheckInsGetLighter(t *testing.T) {
	r := newRig(t)
	r.publish(1, 0, r.tree("one"))
	r.enroll("")
	r.round()
	r.spoolNoise(1)
	broken := 0
	r.listen(func(in *protocol.CheckIn) {
		if len(in.Objects) > 0 {
			broken++
			panic(http.ErrAbortHandler)
		}
	})
	r.round()
	if n := len(r.Reports()); broken == 0 || n < 2 {
		t.Errorf("%d heavy check-ins broke off and %d reports arrived, want one or more and 2", broken, n)
	}
}
