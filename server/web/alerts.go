package web

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"plumb/server/api"
	"plumb/server/store"
	"plumb/server/views"
)

// alertsPage lists what needs a person, what did, and who was told.
type alertsPage struct {
	frame
	Open, Ended []alert
	// Deliveries are only for those who may read them.
	Deliveries []views.AlertDelivery
	Told       bool
	Query      url.Values
	// Kinds narrow the lists to alerts of one kind.
	Kinds []choice
}

// alert is an alert with the page of what it is about.
type alert struct {
	views.Alert
	Link string
}

const (
	alertsShown     = 100
	deliveriesShown = 50
)

func (s *site) alerts(c *api.Call) (any, error) {
	ctx, read := c.Request.Context(), s.Read()
	p := alertsPage{frame: s.frame(c, "Alerts", "/alerts"), Query: query(c, "kind", "state")}
	open, err := read.Alerts(ctx, store.EpisodeFilter{Open: true})
	if err != nil {
		return nil, err
	}
	kind := p.Query.Get("kind")
	all, err := read.Alerts(ctx, store.EpisodeFilter{Kind: kind, Limit: 2 * alertsShown})
	if err != nil {
		return nil, err
	}
	p.Kinds = kindChoices(open, kind)
	p.Open = alertsOf(slices.DeleteFunc(open, func(a views.Alert) bool { return kind != "" && a.Kind != kind }))
	p.Ended = alertsOf(slices.DeleteFunc(all, func(a views.Alert) bool { return a.Closed == nil }))
	p.Ended = p.Ended[:min(len(p.Ended), alertsShown)]
	if p.Told = c.Caller.May(api.Auditor); p.Told {
		p.Deliveries, err = read.AlertDeliveries(ctx, store.DeliveryFilter{State: p.Query.Get("state"), Limit: deliveriesShown})
	}
	if err != nil {
		return nil, err
	}
	return s.show("alerts", p)
}

func alertsOf(list []views.Alert) []alert {
	all := make([]alert, 0, len(list))
	for _, a := range list {
		all = append(all, alert{a, alertLink(a)})
	}
	return all
}

// alertLink is the page of what an alert is about.
func alertLink(a views.Alert) string {
	switch a.Kind {
	case "host_silent", "host_noncompliant", "catalog_mismatch", "release_refused":
		return "/hosts/" + url.PathEscape(a.Subject)
	case "rollout_halted", "approval_pending", "freeze_set":
		return "/rings"
	case "patch_overdue":
		return "/patches"
	case "flapping":
		if _, host, ok := strings.Cut(a.Subject, " on "); ok {
			return "/hosts/" + url.PathEscape(host)
		}
	}
	return "/drift"
}

// kindChoices are the kinds of which alerts are open.
func kindChoices(open []views.Alert, chosen string) []choice {
	counts := map[string]int{}
	for _, a := range open {
		counts[a.Kind]++
	}
	list := []choice{{Words: "all", Count: len(open), Link: "/alerts", Chosen: chosen == ""}}
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, choice{Words: spaced(kind), Count: counts[kind], Link: "/alerts?" + url.Values{"kind": {kind}}.Encode(), Chosen: chosen == kind})
	}
	if chosen != "" && counts[chosen] == 0 {
		list = append(list, choice{Words: spaced(chosen), Link: "/alerts?" + url.Values{"kind": {chosen}}.Encode(), Chosen: true})
	}
	return list
}
