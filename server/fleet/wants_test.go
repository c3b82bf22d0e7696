package fleet

import (
	"testing"

	"plumb/agent/protocol"
	"plumb/policies"
)

// The objects of the first of two reports are there already, as after a server that was killed
// between taking them and taking the report. Those of the second are asked for, and taken.
func TestWhatIsAskedForIsTakenAfterAReportWasAccepted(t *testing.T) {
	f := newFleet(t)
	a := f.enrol(t, "web1")
	first := a.report(1, outcome{"file.a": policies.Compliant}, start)
	in := protocol.CheckIn{Version: 1, Agent: "1.0", Reports: []policies.Report{first}}
	answer, err := f.CheckIn(t.Context(), a.id, in, start)
	must(t, err)
	for _, digest := range answer.Want {
		must(t, f.PutObject(t.Context(), a.id, digest, a.objects[digest], start))
	}
	in.Reports = append(in.Reports, a.report(1, outcome{"file.b": policies.Repaired}, start))
	answer, err = f.CheckIn(t.Context(), a.id, in, start)
	must(t, err)
	same(t, "accepted", answer.Accepted, first.Seq)
	if len(answer.Want) == 0 {
		t.Fatal("nothing is wanted for the second report")
	}
	for _, digest := range answer.Want {
		must(t, f.PutObject(t.Context(), a.id, digest, a.objects[digest], start))
	}
}
