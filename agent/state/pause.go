package state

import (
	"fmt"
	"time"

	"plumb/agent/protocol"
)

const pauseFile = "pause.json"

// Paused returns the host's own stop while it lasts, or nil. A stop that cannot be read
// lasts until somebody resumes: when in doubt nothing is changed.
func (d *Dir) Paused(now time.Time) *protocol.Pause {
	var p protocol.Pause
	ok, err := d.Load(pauseFile, &p)
	if err != nil {
		return &protocol.Pause{Reason: "the pause file is damaged"}
	}
	if !ok {
		return nil
	}
	until, err := time.Parse(time.RFC3339, p.Until)
	if err == nil && !now.Before(until) {
		return nil
	}
	return &p
}

// Pause stops changes on this host until then.
func (d *Dir) Pause(until time.Time, reason string) error {
	if reason == "" || len(reason) > 500 {
		return fmt.Errorf("a pause needs a reason of 500 bytes at most")
	}
	return d.Save(pauseFile, protocol.Pause{Until: until.UTC().Format(time.RFC3339), Reason: reason})
}

// Resume ends a pause.
func (d *Dir) Resume() error { return d.Remove(pauseFile) }
