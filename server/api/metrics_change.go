package api

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"plumb/server/alerts"
	"plumb/server/rollout"
	"plumb/server/views"
)

// changeCollector reads rollouts, alerts and the store's size when it is asked.
type changeCollector struct{ a *API }

// maxRollouts bounds the label rollout, whatever a policy holds.
const maxRollouts = 50

// releasesLabel is the label of the rollout of releases; a block has a name of its own.
const releasesLabel = "releases"

var (
	phaseDesc      = prometheus.NewDesc("plumb_rollout_phase", "1 for the phase of the newest change of each rollout, 0 for the others; releases is that of releases.", []string{"rollout", "phase"}, nil)
	cycleDesc      = prometheus.NewDesc("plumb_patch_cycle", "Number of the newest patch cycle of each rollout.", []string{"rollout"}, nil)
	frozenDesc     = prometheus.NewDesc("plumb_frozen", "1 while somebody stopped all change, else 0.", nil, nil)
	alertsDesc     = prometheus.NewDesc("plumb_alerts_open", "Open alerts by kind.", []string{"kind"}, nil)
	deliveriesDesc = prometheus.NewDesc("plumb_alert_deliveries_total", "Attempts to tell receivers of alerts, by outcome: delivered, retried, failed or skipped.", []string{"outcome"}, nil)
	pendingDesc    = prometheus.NewDesc("plumb_alert_deliveries_pending", "What is still to be told to receivers of alerts.", nil, nil)
	sizeDesc       = prometheus.NewDesc("plumb_store_bytes", "Size of the database in bytes.", nil, nil)
)

func (changeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{phaseDesc, cycleDesc, frozenDesc, alertsDesc, deliveriesDesc, pendingDesc, sizeDesc} {
		ch <- d
	}
}

func (f changeCollector) Collect(ch chan<- prometheus.Metric) {
	ctx := context.Background()
	f.rollouts(ch)
	f.alerts(ctx, ch)
	switch act, err := f.a.Rollouts.Freezing(ctx); {
	case err != nil:
		ch <- prometheus.NewInvalidMetric(frozenDesc, err)
	case act != nil:
		ch <- gauge(frozenDesc, 1)
	default:
		ch <- gauge(frozenDesc, 0)
	}
	size, err := f.a.Store.Size(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(sizeDesc, err)
		return
	}
	ch <- prometheus.MustNewConstMetric(sizeDesc, prometheus.GaugeValue, float64(size))
}

// phases are those that a whole rollout can have.
func phases() []string {
	return []string{"rolling", "paused", "frozen", string(rollout.Halted), string(rollout.RolledBack), "superseded", "withdrawn", "done"}
}

func (f changeCollector) rollouts(ch chan<- prometheus.Metric) {
	ways := f.a.Rollouts.Glimpses()
	for _, way := range ways[:min(len(ways), maxRollouts)] {
		if len(way.Book) == 0 {
			continue
		}
		newest, name := views.RolloutOf(way.Book[0]), way.Name
		if name == "" {
			name = releasesLabel
		} else {
			ch <- gauge(cycleDesc, int(newest.Cycle), name)
		}
		for _, phase := range phases() {
			is := 0
			if newest.Phase == phase {
				is = 1
			}
			ch <- gauge(phaseDesc, is, name, phase)
		}
	}
}

func (f changeCollector) alerts(ctx context.Context, ch chan<- prometheus.Metric) {
	open, err := f.a.Store.OpenAlerts(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(alertsDesc, err)
		return
	}
	for _, kind := range alerts.Kinds() {
		ch <- gauge(alertsDesc, open[kind], kind)
	}
	for outcome, n := range f.a.Alerts.Outcomes() {
		ch <- prometheus.MustNewConstMetric(deliveriesDesc, prometheus.CounterValue, float64(n), outcome)
	}
	pending, err := f.a.Store.PendingDeliveries(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(pendingDesc, err)
		return
	}
	ch <- gauge(pendingDesc, pending)
}
