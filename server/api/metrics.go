package api

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"plumb/policies"
)

func (a *API) startMetrics() {
	a.registry = prometheus.NewRegistry()
	a.answered = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "plumb_requests_total", Help: "Requests answered, by route and status code.",
	}, []string{"method", "route", "code"})
	a.checkIns = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "plumb_checkin_seconds", Help: "How long check-ins of enrolled hosts took in seconds; its count is their number.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	})
	a.registry.MustRegister(a.answered, a.checkIns, fleetCollector{a}, changeCollector{a}, &patchCollector{a: a})
}

// timed measures a handler of check-ins.
func (a *API) timed(handle func(*Call) (any, error)) func(*Call) (any, error) {
	return func(c *Call) (any, error) {
		began := time.Now()
		defer func() { a.checkIns.Observe(time.Since(began).Seconds()) }()
		return handle(c)
	}
}

// metrics writes the registry in Prometheus' text form.
func (a *API) metrics(*Call) (any, error) {
	families, err := a.registry.Gather()
	if err != nil {
		return nil, fmt.Errorf("cannot gather metrics: %w", err)
	}
	var out bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&out, family); err != nil {
			return nil, fmt.Errorf("cannot write metrics: %w", err)
		}
	}
	return Raw{Type: "text/plain; version=0.0.4; charset=utf-8", Body: out.Bytes()}, nil
}

// fleetCollector reads the fleet's state when it is asked, never per report. No metric has
// a host or a resource as a label: there are too many of them.
type fleetCollector struct{ a *API }

var (
	hostsDesc    = prometheus.NewDesc("plumb_hosts", "Enrolled hosts, by their worst resource's status.", []string{"status"}, nil)
	mismatchDesc = prometheus.NewDesc("plumb_hosts_mismatch", "Hosts whose catalog is not the one that the server compiled.", nil, nil)
	problemDesc  = prometheus.NewDesc("plumb_hosts_problem", "Hosts that refused, quarantined or could not compile their newest release.", nil, nil)
	flappingDesc = prometheus.NewDesc("plumb_resources_flapping", "Resources that hosts leave alone because somebody else fights for them, each host counted.", nil, nil)
	releaseDesc  = prometheus.NewDesc("plumb_release", "Number of the newest release.", nil, nil)
)

func (fleetCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{hostsDesc, mismatchDesc, problemDesc, flappingDesc, releaseDesc} {
		ch <- d
	}
}

func (f fleetCollector) Collect(ch chan<- prometheus.Metric) {
	fleet, err := f.a.Views().Fleet(context.Background(), f.a.Now())
	if err != nil {
		ch <- prometheus.NewInvalidMetric(hostsDesc, err)
		return
	}
	for _, s := range policies.Statuses {
		ch <- gauge(hostsDesc, fleet.Status[s], string(s))
	}
	ch <- gauge(mismatchDesc, fleet.Mismatch)
	ch <- gauge(problemDesc, fleet.Problems)
	ch <- gauge(releaseDesc, int(fleet.Policy.Release))
	flaps, err := f.a.Store.CountFlapping(context.Background())
	if err != nil {
		ch <- prometheus.NewInvalidMetric(flappingDesc, err)
		return
	}
	ch <- gauge(flappingDesc, flaps)
}

func gauge(d *prometheus.Desc, value int, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), labels...)
}
