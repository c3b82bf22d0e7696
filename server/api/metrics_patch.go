package api

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"plumb/policies/patch"
	"plumb/server/views"
)

// patchCollector tells how patching stands. To judge all updates takes long in a large fleet, so it
// does that once a minute however often it is asked.
type patchCollector struct {
	a *API

	mu   sync.Mutex
	seen time.Time
	last patchFigures
}

type patchFigures struct {
	waiting, reboots int
	overdue          map[string]int
}

// patchEvery is how old the figures of patching may be, and maxSLAs bounds the label sla.
const (
	patchEvery = time.Minute
	maxSLAs    = 50
)

var (
	updatesDesc = prometheus.NewDesc("plumb_patch_updates_approved", "Approved updates that are not installed yet, each host counted; up to a minute old.", nil, nil)
	overdueDesc = prometheus.NewDesc("plumb_patch_sla_overdue", "Answers to advisories that hosts lack past the time of the patch_sla, each host counted; up to a minute old.", []string{"sla"}, nil)
	rebootsDesc = prometheus.NewDesc("plumb_hosts_reboot_pending", "Hosts that need a reboot after patching; up to a minute old.", nil, nil)
)

func (*patchCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{updatesDesc, overdueDesc, rebootsDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (p *patchCollector) Collect(ch chan<- prometheus.Metric) {
	f, err := p.figures(context.Background())
	if err != nil {
		ch <- prometheus.NewInvalidMetric(updatesDesc, err)
		return
	}
	ch <- gauge(updatesDesc, f.waiting)
	ch <- gauge(rebootsDesc, f.reboots)
	for name, n := range f.overdue {
		ch <- gauge(overdueDesc, n, name)
	}
}

func (p *patchCollector) figures(ctx context.Context) (patchFigures, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.a.Now()
	if age := now.Sub(p.seen); !p.seen.IsZero() && age >= 0 && age < patchEvery {
		return p.last, nil
	}
	status, err := p.a.Views().PatchStatus(ctx, views.PatchFilter{}, now)
	if err != nil {
		return p.last, err
	}
	slas, err := p.a.Views().PatchSLAs(ctx, views.PatchFilter{}, now)
	if err != nil {
		return p.last, err
	}
	f := patchFigures{waiting: status.Counts[patch.Approved], overdue: map[string]int{}}
	if f.reboots, err = p.a.Store.PendingReboots(ctx); err != nil {
		return p.last, err
	}
	for _, sla := range slas[:min(len(slas), maxSLAs)] {
		f.overdue[sla.Name] = sla.Overdue
	}
	p.last, p.seen = f, now
	return f, nil
}
