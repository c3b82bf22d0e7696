package store

import "time"

// forgetting lets go of what is kept in memory when nobody has asked for it for a while. Whoever keeps it guards this, too.
type forgetting struct{ timer *time.Timer }

// keptFor is for how long things are kept after somebody asked.
const keptFor = 15 * time.Minute

// later puts it off once more.
func (f *forgetting) later(forget func()) {
	if f.timer == nil {
		f.timer = time.AfterFunc(keptFor, forget)
		return
	}
	f.timer.Reset(keptFor)
}

func (f *forgetting) stop() {
	if f.timer != nil {
		f.timer.Stop()
	}
}
