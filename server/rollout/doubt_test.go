package rollout

import (
	"testing"

	"plumb/policies"
)

// A host that was given an older cycle and has not begun with it keeps its cluster waiting only until
// it has called and knows that it may not.
func TestDoubts(t *testing.T) {
	v := newServer(t)
	v.release(1)
	for name, ring := range map[string]string{"c1": "canary", "b1": "broad"} {
		v.enrolIn(name, ring, "db")
		v.run(name, policies.Compliant, policies.Enforce)
	}
	v.begin("s1", inCluster)
	v.done("c1")
	v.step()
	v.step()
	v.granted(map[string]string{"c1": "1", "b1": "1"})
	v.patched("b1", policies.Pending, policies.PhaseIdle)
	later := func(p *policies.Rollout) { inCluster(p); p.Rings[1].Deferral = 3600 }
	v.begin("s2", later)
	v.granted(map[string]string{"c1": "1", "b1": ""})
	v.patched("b1", policies.Pending, policies.PhaseIdle) // it may have called just before that was published
	v.step()
	v.restart()
	v.step()
	v.granted(map[string]string{"c1": "1", "b1": ""})
	v.patched("b1", policies.Pending, policies.PhaseIdle)
	v.step()
	v.granted(map[string]string{"c1": "2", "b1": ""})
	v.patched("c1", policies.Pending, policies.PhaseIdle)
	v.begin("s3", inCluster) // either may have begun by now, and neither gets another while both may have
	v.step()
	v.granted(map[string]string{"c1": "", "b1": ""})
	v.patched("c1", policies.Pending, policies.PhaseIdle)
	v.patched("b1", policies.Pending, policies.PhaseIdle)
	v.step()
	v.granted(map[string]string{"c1": "3", "b1": ""})
}

// One that never got to know that it may begin takes nobody away.
func TestNoDoubtAboutWhoNeverCalled(t *testing.T) {
	v := newServer(t)
	v.release(1)
	for name, ring := range map[string]string{"c1": "canary", "b1": "broad"} {
		v.enrolIn(name, ring, "db")
		v.run(name, policies.Compliant, policies.Enforce)
	}
	v.begin("s1", inCluster)
	v.done("c1")
	v.step()
	v.step()
	v.granted(map[string]string{"c1": "1", "b1": "1"})
	v.begin("s2", func(p *policies.Rollout) { inCluster(p); p.Rings[1].Deferral = 3600 })
	v.granted(map[string]string{"c1": "1", "b1": ""})
	v.step()
	v.granted(map[string]string{"c1": "2", "b1": ""})
}

// inCluster lets one host of a cluster be away, and gates ask for nothing.
func inCluster(p *policies.Rollout) {
	p.Cluster = &policies.Cluster{Label: "cluster", MaxUnavailable: policies.Share{Count: 1}}
	p.Rings[0].Gate, p.Rings[1].Gate = policies.Gate{}, policies.Gate{}
}

// A pause does not outlive the rollout that a person lets pass in it: nobody could end it.
func TestDoneEndsThePause(t *testing.T) {
	v := newServer(t)
	v.fleet()
	v.begin("s1", nil)
	id := ID{Rollout: "security"}
	_, err := v.Do(t.Context(), id, Pause, "", ada)
	v.ok(err)
	for _, ring := range []string{"canary", "broad"} {
		for s, _, _ := v.NewestCycle(t.Context(), "security"); s.ring(ring).Phase != Passed; s, _, _ = v.NewestCycle(t.Context(), "security") {
			_, err = v.Do(t.Context(), id, Promote, ring, ada)
			v.ok(err)
		}
	}
	if s, _, err := v.NewestCycle(t.Context(), "security"); err != nil || s.Done.IsZero() || s.Held() {
		t.Errorf("all rings passed in a pause, and done is %v, held %v, %v", s.Done, s.Held(), err)
	}
	v.granted(map[string]string{"c1": "1", "b2": "1"})
}
