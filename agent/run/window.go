package run

import (
	"fmt"
	"strings"
	"time"

	"plumb/policies"
	"plumb/policies/calendar"
)

// closed says why a change of the resource must not start now, and is empty when it may. The
// clock is read for each change anew, because a long run may outlast a window.
func (p *pass) closed(res policies.Resource) string {
	return p.shut(res.Window, res.Class(), "")
}

// shut says why a change of the class that travels in the lane must not start now, given the
// windows that it names.
func (p *pass) shut(windows []string, class, lane string) string {
	if p.Untimed != "" && len(windows) > 0 {
		return p.Untimed
	}
	key, now := strings.Join(append([]string{class, lane}, windows...), " "), p.clock()
	if d, ok := p.refused[key]; ok && (d.Next.IsZero() || now.Before(d.Next)) {
		return d.Reason // to expand rules for thousands of resources takes long
	}
	c := calendar.Calendar{Freezes: p.catalog.Freezes, Host: p.Zone}
	for _, name := range windows {
		w, ok := p.catalog.Windows[name]
		if !ok {
			return fmt.Sprintf("the catalog does not say when its window %s is open", name)
		}
		c.Windows = append(c.Windows, w)
	}
	d := c.Permit(class, lane, now)
	if !d.Allowed {
		p.refuse(key, d)
	}
	return d.Reason
}

// refuse remembers a refusal, which holds until the time that it names.
func (p *pass) refuse(key string, d calendar.Decision) {
	p.refused[key] = d
	p.wake(d.Next)
}

// wake notes a time at which something may start.
func (p *pass) wake(at time.Time) {
	if !at.IsZero() && (p.Opens.IsZero() || at.Before(p.Opens)) {
		p.Opens = at
	}
}

func (p *pass) clock() time.Time {
	if p.Now == nil {
		return p.Journal.run
	}
	return p.Now()
}
