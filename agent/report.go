package agent

import (
	"errors"
	"time"

	"plumb/agent/run"
	"plumb/agent/state"
	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/canon"
)

// reportEvery is how often a host reports when nothing happens. In between it only checks in.
const reportEvery = time.Hour

// reported is what the newest spooled report said.
type reported struct {
	Release               uint64
	Facts, Catalog        string `json:",omitempty"`
	Result, Problem, Boot string `json:",omitempty"`
	Offers                string `json:",omitempty"`
	Audit, Stale          bool
	At                    time.Time
}

// Last is what status and why show: the newest run, with all that it was about.
type Last struct {
	Release  uint64           `json:"release"`
	Commit   string           `json:"commit,omitempty"`
	Started  time.Time        `json:"started"`
	Finished time.Time        `json:"finished"`
	Audit    bool             `json:"audit"`
	Stale    bool             `json:"stale"`
	Problem  string           `json:"problem,omitempty"`
	Timezone string           `json:"timezone,omitempty"` // of the host, for its windows
	Reboot   string           `json:"reboot,omitempty"`   // why the host has to boot again
	Catalog  policies.Catalog `json:"catalog"`
	Result   policies.Result  `json:"result"`
	// Astray is how patch cycles fare that are under way here, and of which the catalog has nothing.
	Astray []policies.ResourceResult `json:"astray,omitempty"`
}

// baseline is the newest enforced run of the release in force, see [regressions].
type baseline struct {
	Tag    string          `json:"tag"`
	Result policies.Result `json:"result"`
}

const (
	lastFile     = "last.json"
	goodFile     = "good.json"
	reportedFile = "reported.json"
)

// lastGood returns what to compare a release on trial with, nil when nothing is in force.
func (r *round) lastGood() (*policies.Result, error) {
	var b baseline
	ok, err := r.Dir.Load(goodFile, &b)
	if errors.Is(err, state.ErrDamaged) {
		r.Log.Error("a new release has nothing to be compared with", "error", err)
		return nil, nil
	}
	if err != nil || !ok || r.releases.Good == nil || r.releases.Good.Tag != b.Tag {
		return nil, err
	}
	return &b.Result, nil
}

// report makes a finished run known: to the spool first, and only then is it forgotten what
// the run's journal holds.
func (r *round) report(done finished) error {
	defer done.journal.Close()
	r.rewatch(done.catalog, done.comp.Digest)
	result, err := canon.Marshal(done.result)
	if err == nil && len(result) > run.MaxResult { // what was mended came to much that had been left
		run.Trim(&done.result)
		result, err = canon.Marshal(done.result)
	}
	if err != nil {
		return err
	}
	report := r.draft(done.held, done.started)
	report.Catalog, report.Result = done.comp.Digest, inventory.Digest(result)
	objects := map[string][]byte{report.Catalog: done.comp.Raw, report.Result: result}
	r.out.Release, r.out.Counts, r.out.Opens = done.held.Number, done.result.Counts(), done.opens
	r.out.Soon, r.out.Reboot = done.soon, done.reboot
	if err := r.remember(done, report); err != nil {
		return err
	}
	counts := r.out.Counts
	if err := r.spoolIf(counts[policies.Repaired]+counts[policies.Failed] > 0, report, objects); err != nil {
		return err
	}
	return done.journal.Reported()
}

// draft is a report without a result.
func (r *round) draft(h state.Held, started time.Time) policies.Report {
	return policies.Report{Release: h.Number, Commit: h.Commit, Facts: inventory.Digest(r.rawFacts), Offers: r.offersDigest(),
		Started: started.UTC(), Finished: r.Now().UTC(), Audit: r.auditing(), BootID: r.found.BootID,
		Stale: r.stale() && h.Number > 0, Problem: run.Plain(r.told())}
}

// reportProblem tells that a release did not compile.
func (r *round) reportProblem(h state.Held, err error) error {
	if r.problem == "" {
		r.problem = err.Error()
	}
	return r.spoolIf(false, r.draft(h, r.Now()), map[string][]byte{})
}

// reportNone tells the facts of a host that has nothing to run yet: the server plans with them.
func (r *round) reportNone() error {
	if r.releases.Quarantined != nil && r.problem != "" {
		return nil // that release's own report tells it
	}
	if r.problem == "" {
		r.problem = "there is no release for this host yet"
	}
	return r.spoolIf(false, r.draft(state.Held{}, r.Now()), map[string][]byte{})
}

// remember keeps the run for status and why, and as what the next release is compared with.
func (r *round) remember(done finished, report policies.Report) error {
	last := Last{Release: report.Release, Commit: report.Commit, Started: report.Started, Finished: report.Finished,
		Audit: report.Audit, Stale: report.Stale, Problem: report.Problem, Timezone: r.found.Timezone,
		Reboot: done.reboot, Catalog: done.catalog, Result: done.result, Astray: done.astray}
	if err := r.keep(done, last); err != nil {
		return err
	}
	if good := r.releases.Good; good == nil || good.Tag != done.held.Tag || r.auditing() {
		return nil
	}
	return r.Dir.SaveChanged(goodFile, baseline{Tag: done.held.Tag, Result: failures(done.result)})
}

// failures is what [regressions] needs of a result. It is small, and the same after each run that
// changes nothing about it, so that a mended file does not write megabytes.
func failures(r policies.Result) policies.Result {
	short := policies.Result{Catalog: r.Catalog, Resources: []policies.ResourceResult{}}
	for _, one := range r.Resources {
		if one.Status == policies.Failed {
			short.Resources = append(short.Resources, policies.ResourceResult{Address: one.Address, Status: one.Status})
		}
	}
	return short
}

// spoolIf spools a report when something happened, when it says something else than the last
// one, or when that is too long ago.
func (r *round) spoolIf(happened bool, report policies.Report, objects map[string][]byte) error {
	var old reported
	if _, err := r.Dir.Load(reportedFile, &old); err != nil {
		r.Log.Warn("what was reported last is lost", "error", err)
	}
	now := reported{Release: report.Release, Facts: report.Facts, Catalog: report.Catalog, Result: report.Result,
		Problem: report.Problem, Boot: report.BootID, Offers: report.Offers, Audit: report.Audit, Stale: report.Stale, At: old.At}
	quiet := report.Finished.Sub(old.At)
	if !happened && now == old && quiet >= 0 && quiet < reportEvery {
		return nil
	}
	objects[report.Facts] = r.rawFacts
	if report.Offers != "" {
		objects[report.Offers] = r.rawOffers
	}
	now.At = report.Finished
	if _, err := r.spool.Add(report, objects); err != nil {
		return errors.Join(errors.New("the report is not safe"), err)
	}
	return r.Dir.Save(reportedFile, now)
}
