package fleet

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/policies"
	"plumb/server/store"
)

// told is one event in short.
type told struct {
	Kind, Address  string
	Before, Status policies.Status
}

func TestDerive(t *testing.T) {
	const ok, bad, failed, mended = policies.Compliant, policies.Noncompliant, policies.Failed, policies.Repaired
	for name, c := range map[string]struct {
		before, after outcome
		events        []told
		open          []string
		status        policies.Status
		sameInterval  bool
	}{
		"nothing new":             {outcome{"a": ok}, outcome{"a": ok}, nil, nil, ok, true},
		"opened":                  {outcome{"a": ok}, outcome{"a": bad}, []told{{store.EventOpened, "a", "", bad}}, []string{"a"}, bad, false},
		"opened by a new one":     {outcome{}, outcome{"a": bad}, []told{{store.EventOpened, "a", "", bad}}, []string{"a"}, bad, false},
		"still open":              {outcome{"a": bad}, outcome{"a": bad}, nil, []string{"a"}, bad, true},
		"closed":                  {outcome{"a": bad}, outcome{"a": ok}, []told{{store.EventClosed, "a", bad, ok}}, nil, ok, false},
		"closed by leaving":       {outcome{"a": bad, "b": ok}, outcome{"b": ok}, []told{{store.EventClosed, "a", bad, ""}}, nil, ok, false},
		"closed by not applying":  {outcome{"a": bad}, outcome{"a": policies.NotApplicable}, []told{{store.EventClosed, "a", bad, policies.NotApplicable}}, nil, policies.NotApplicable, false},
		"repaired at once":        {outcome{"a": ok}, outcome{"a": mended}, []told{{store.EventRepaired, "a", "", mended}}, nil, mended, false},
		"repaired again":          {outcome{"a": mended}, outcome{"a": mended}, []told{{store.EventRepaired, "a", "", mended}}, nil, mended, true},
		"repaired and so closed":  {outcome{"a": bad}, outcome{"a": mended}, []told{{store.EventRepaired, "a", bad, mended}, {store.EventClosed, "a", bad, mended}}, nil, mended, false},
		"failed":                  {outcome{"a": ok}, outcome{"a": failed}, []told{{store.EventFailed, "a", "", failed}, {store.EventOpened, "a", "", failed}}, []string{"a"}, failed, false},
		"failed as before":        {outcome{"a": failed}, outcome{"a": failed}, nil, []string{"a"}, failed, true},
		"changed":                 {outcome{"a": bad}, outcome{"a": policies.Unknown}, []told{{store.EventChanged, "a", bad, policies.Unknown}}, []string{"a"}, policies.Unknown, false},
		"waiting is no finding":   {outcome{"a": ok}, outcome{"a": policies.Pending}, nil, nil, policies.Pending, false},
		"nothing applies":         {outcome{"a": ok}, outcome{}, nil, nil, policies.NotApplicable, false},
		"worst one is the host's": {outcome{}, outcome{"a": ok, "b": mended, "c": policies.NotApplicable}, []told{{store.EventRepaired, "b", "", mended}}, nil, mended, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := &agent{id: "h", epoch: "e", objects: map[string][]byte{}}
			_, state := Derive(State{}, a.run(c.before, start), start)
			later := start.Add(time.Minute)
			step, next := Derive(state, a.run(c.after, later), later)
			var events []told
			for _, e := range step.Events {
				events = append(events, told{e.Kind, e.Address, e.Before, e.Status})
			}
			var open []string
			for _, f := range step.Findings {
				open = append(open, f.Address)
			}
			same(t, "events", events, c.events)
			same(t, "findings", open, c.open)
			same(t, "status", step.Host.Found, c.status)
			same(t, "new interval", step.NewInterval, !c.sameInterval)
			same(t, "state after it", next.Host, step.Host)
		})
	}
}

func (a *agent) run(found outcome, at time.Time) Run {
	report := a.report(1, found, at)
	c, r := runOf(found)
	return Run{Report: report, Catalog: &c, Result: foundOf(r)}
}

// TestDeriveTellsAFightOnce is about a resource for which two managers fight.
func TestDeriveTellsAFightOnce(t *testing.T) {
	a := &agent{id: "h", epoch: "e", objects: map[string][]byte{}}
	fight := func(since time.Time) Run {
		run := a.run(outcome{"a": policies.Noncompliant}, start)
		run.Result.Resources[0].By = "vim (pid 12) of ann"
		run.Result.Resources[0].Flapping = &policies.Flapping{Since: since, Until: since.Add(time.Hour), Mends: 5, Writers: []string{"vim of ann"}}
		return run
	}
	_, state := Derive(State{}, a.run(outcome{"a": policies.Compliant}, start), start)
	flaps := func(run Run) (told []string) {
		var step store.Step
		step, state = Derive(state, run, start)
		for _, e := range step.Events {
			if e.Kind == store.EventFlapping {
				told = append(told, e.By)
			}
		}
		return told
	}
	same(t, "the first report of it", flaps(fight(start)), []string{"vim (pid 12) of ann"})
	same(t, "fighters", state.Findings["a"].Flapping.Fighters(), "plumb-agent and vim of ann")
	same(t, "the second report of it", len(flaps(fight(start))), 0)
	same(t, "its end", len(flaps(a.run(outcome{"a": policies.Repaired}, start))), 0)
	same(t, "another fight", len(flaps(fight(start.Add(time.Hour)))), 1)
}

func TestDeriveKeepsSinceOfAFinding(t *testing.T) {
	a := &agent{id: "h", epoch: "e", objects: map[string][]byte{}}
	_, state := Derive(State{}, a.run(outcome{"a": policies.Noncompliant}, start), start)
	step, _ := Derive(state, a.run(outcome{"a": policies.Failed}, start.Add(time.Hour)), start.Add(time.Hour))
	same(t, "since", step.Findings[0].Since, start)
}

func TestDeriveFailureUnderAnotherReleaseIsNews(t *testing.T) {
	a := &agent{id: "h", epoch: "e", objects: map[string][]byte{}}
	_, state := Derive(State{}, a.run(outcome{"a": policies.Failed}, start), start)
	next := a.run(outcome{"a": policies.Failed}, start)
	next.Report.Release, next.Report.Commit = 2, "commit2"
	step, _ := Derive(state, next, start)
	same(t, "number of events", len(step.Events), 1)
	same(t, "event", []string{step.Events[0].Kind, step.Events[0].FromCommit}, []string{store.EventFailed, "commit1"})
}

func TestDeriveWithoutACatalogKeepsFindings(t *testing.T) {
	a := &agent{id: "h", epoch: "e", objects: map[string][]byte{}}
	_, state := Derive(State{}, a.run(outcome{"a": policies.Noncompliant, "b": policies.Compliant}, start), start)
	broken := policies.Report{Epoch: "e", Seq: 2, Release: 2, Commit: "commit2", Finished: start, Problem: "p.hcl:3,1: no such fact"}
	step, state := Derive(state, Run{Report: broken}, start)
	same(t, "status", step.Host.Found, policies.Failed)
	same(t, "number of findings", len(step.Findings), 1)
	same(t, "event", []string{step.Events[0].Kind, step.Events[0].Message}, []string{store.EventRefused, broken.Problem})
	broken.Seq = 3
	step, state = Derive(state, Run{Report: broken}, start)
	same(t, "events when it is told again", len(step.Events), 0)
	a.seq = 3
	step, _ = Derive(state, a.run(outcome{"a": policies.Compliant, "b": policies.Compliant}, start), start)
	same(t, "event when it is mended", []string{step.Events[0].Kind, step.Events[0].Address}, []string{store.EventClosed, "a"})
}

func TestDeriveReboot(t *testing.T) {
	a := &agent{id: "h", epoch: "e", objects: map[string][]byte{}}
	_, state := Derive(State{}, a.run(outcome{}, start), start)
	next := a.run(outcome{}, start)
	next.Report.BootID = "boot2"
	step, _ := Derive(state, next, start)
	same(t, "number of events", len(step.Events), 1)
	same(t, "kind", step.Events[0].Kind, store.EventRebooted)
}

func TestDeriveBoundsTheClock(t *testing.T) {
	now := start.Add(time.Hour)
	for name, c := range map[string]struct{ finished, want time.Time }{
		"as told":            {start.Add(time.Minute), start.Add(time.Minute)},
		"not told":           {time.Time{}, now},
		"in the future":      {now.Add(time.Minute), now},
		"before the last":    {start.Add(-time.Hour), start},
		"another zone":       {start.Add(time.Minute).In(time.FixedZone("x", 3600)), start.Add(time.Minute)},
		"with microseconds":  {start.Add(time.Millisecond + 7), start.Add(time.Millisecond)},
		"before all history": {time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), start},
	} {
		got := happened(store.Host{Enrolled: start.Add(-time.Minute), Ran: start}, policies.Report{Finished: c.finished}, now)
		if !cmp.Equal(got, c.want) {
			t.Errorf("%s: happened() = %s, want %s", name, got, c.want)
		}
	}
}

func TestComplete(t *testing.T) {
	catalog, _ := runOf(outcome{"a": policies.Compliant, "b": policies.Compliant})
	_, result := runOf(outcome{"b": policies.Compliant, "z": policies.Compliant})
	got := map[string]policies.Status{}
	for _, one := range complete(catalog, *foundOf(result)) {
		got[one.Address] = one.Status
	}
	same(t, "statuses", got, map[string]policies.Status{"a": policies.Missing, "b": policies.Compliant, "z": policies.Unexpected})
}
