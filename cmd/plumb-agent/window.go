package main

import (
	"slices"
	"strings"
	"time"

	"plumb/agent"
	"plumb/policies/calendar"
)

// opening is a window of the newest catalog: the opening under way, or the next one.
type opening struct {
	Name string `json:"name"`
	// Open is true while what needs the window may start.
	Open bool `json:"open"`
	calendar.Occurrence
}

// zone is the host's own, or UTC where it is not known; nothing that needs a window starts then.
func zone(last agent.Last) *time.Location {
	host, err := time.LoadLocation(last.Timezone)
	if err != nil {
		return time.UTC
	}
	return host
}

// openings returns those of the newest catalog, the nearest first. A window that never opens
// again is not among them.
func openings(last agent.Last, now time.Time) []opening {
	host := zone(last)
	list := []opening{}
	for _, w := range last.Catalog.Windows {
		o, ok := w.At(now, host)
		if !ok || !o.Open(now) {
			o, ok = w.Next(now, host)
		}
		if ok {
			o.Start, o.Cutoff, o.End = o.Start.In(host), o.Cutoff.In(host), o.End.In(host)
			list = append(list, opening{Name: w.Name, Open: o.Open(now), Occurrence: o})
		}
	}
	slices.SortFunc(list, func(a, b opening) int {
		if c := a.Start.Compare(b.Start); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return list
}

// holding returns the freezes of the newest catalog that hold now.
func holding(last agent.Last, now time.Time) []calendar.Freeze {
	list := []calendar.Freeze{}
	for _, f := range last.Catalog.Freezes {
		if !now.Before(f.From) && now.Before(f.Until) {
			f.From, f.Until = f.From.In(zone(last)), f.Until.In(zone(last))
			list = append(list, f)
		}
	}
	return list
}

const clockFormat = "Mon 2006-01-02 15:04 MST"

// words says when the window is open.
func (o opening) words() string {
	if o.Open {
		return o.Name + " is open, the last start is before " + o.Cutoff.Format(clockFormat)
	}
	return o.Name + " opens " + o.Start.Format(clockFormat)
}

func freezeWords(f calendar.Freeze) string {
	text := f.Name + " until " + f.Until.Format(clockFormat)
	if len(f.Classes) > 0 {
		text += " for " + strings.Join(f.Classes, ", ")
	}
	if f.Reason != "" {
		text += ": " + f.Reason
	}
	return text
}
