package run

import (
	"time"

	"plumb/policies"
)

// waiver returns the exception that holds for a resource, nil when none does; of several it is the
// one that ends last. When that may change is noted, to look again then.
func (p *pass) waiver(res policies.Resource) *policies.Waiver {
	var longest *policies.Waiver
	for _, name := range res.Waivers {
		w, ok := p.catalog.Waivers[name]
		switch {
		case !ok:
		case w.Holds(p.agreed()):
			if longest == nil || w.Expires.After(longest.Expires) {
				longest = &w
			}
		case p.agreed().Before(w.From):
			p.wake(w.From)
		}
	}
	if longest != nil {
		p.wake(longest.Expires)
	}
	return longest
}

// agreed is the time that waivers are judged by, the same for a whole run.
func (p *pass) agreed() time.Time {
	if p.Agreed.IsZero() {
		return p.Journal.run
	}
	return p.Agreed
}

// skips tells whether an exception has it that the resource is not even looked at.
func (w *work) skips() bool {
	if w.waiver == nil || w.waiver.Effect != policies.WaiveSkip {
		return false
	}
	w.out.Status, w.out.Message = policies.Waived, "not looked at; "+w.waiver.String()
	return true
}

// waived leaves a difference alone that was agreed to.
func (w *work) waived() bool {
	if w.waiver == nil {
		return false
	}
	w.out.Status, w.out.Message = policies.Waived, w.waiver.String()
	return true
}

// needless notes that the resource is in order in spite of its exception.
func (w *work) needless() {
	if w.waiver != nil && w.out.Status == policies.Compliant {
		w.out.Message = "it passes, so it needs no waiver; " + w.waiver.String()
	}
}

// reverted is the cause of a difference that an exception had let be: the one that it had as long
// as the exception holds, and that it ended after that.
func (w *work) reverted() policies.Cause {
	if w.waiver != nil {
		return w.Memory[w.res.Address].Cause
	}
	return policies.RevertedWaiver
}
