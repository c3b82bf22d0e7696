package views

import (
	"context"
	"fmt"

	"plumb/policies"
	"plumb/server/store"
)

// Drift is where reality differs from policy now, and where it lately did and was mended.
type Drift struct {
	Findings []Finding `json:"findings"`
	Repairs  []Event   `json:"repairs"`
}

// Fine tells whether all that differs was agreed to.
func (d Drift) Fine() bool {
	for _, one := range d.Findings {
		if one.Status != policies.Waived {
			return false
		}
	}
	return true
}

// DriftFilter selects drift. Zero fields select all.
type DriftFilter struct {
	// FindingFilter selects what does not pass; its host, address, policy
	// and since select what was mended, too.
	store.FindingFilter
	// Cause selects why it differs. What was mended is by somebody else's doing when nobody says.
	Cause policies.Cause
}

// mostDrift is how many findings are shown, and mostRepairs how many repairs.
const (
	mostDrift   = 1000
	mostRepairs = 100
)

// Drift returns what does not pass now, and the newest repairs.
func (r Reader) Drift(ctx context.Context, f DriftFilter) (Drift, error) {
	d := Drift{Findings: []Finding{}}
	for len(d.Findings) < mostDrift {
		rows, err := r.Store.Findings(ctx, f.FindingFilter)
		if err != nil {
			return Drift{}, fmt.Errorf("cannot list findings: %w", err)
		}
		for _, one := range rows {
			if f.Cause == "" || f.Cause == one.Cause {
				d.Findings = append(d.Findings, findingView(one))
			}
		}
		if len(rows) < mostDrift {
			break
		}
		f.After = &rows[len(rows)-1]
	}
	d.Findings = d.Findings[:min(mostDrift, len(d.Findings))]
	causes := []policies.Cause{policies.Corrective}
	if f.Cause != "" {
		causes[0] = f.Cause
	}
	var err error
	d.Repairs, err = r.Events(ctx, store.EventFilter{
		Host: f.Host, Address: f.Address, Policy: f.Policy, Since: f.Since, Limit: mostRepairs,
		Kinds: []string{store.EventRepaired}, Causes: causes,
	})
	return d, err
}

func findingView(one store.Finding) Finding {
	return Finding{
		Host: one.HostName, Address: one.Address, Status: one.Status, Since: one.Since.UTC(), Mode: one.Mode,
		Cause: one.Cause, From: one.From, To: one.To, Severity: one.Severity, Controls: list(one.Controls), Changes: list(one.Changes),
		Message: one.Message, Source: one.Source, By: one.By, Flapping: one.Flapping,
	}
}
