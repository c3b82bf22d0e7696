package patching

import (
	"slices"
	"strings"
	"testing"

	"plumb/policies"
)

func TestGoodCycle(t *testing.T) {
	w := newWorld(t)
	status, out, err := w.run()
	if status != policies.Repaired || err != nil || w.versions() != "a 2, b 2, c 2" || out.Phase != policies.PhaseDone || len(out.Installed) != 3 {
		t.Fatalf("run = %s, %+v, %v with %s", status, out, err, w.versions())
	}
	hooks := strings.Join(slices.DeleteFunc(slices.Clone(w.log), func(s string) bool { return s == "journal" || strings.HasSuffix(s, "ended") }), ", ")
	want := "fetch a 2, fetch b 2, fetch c 2, fetch a 1, fetch b 1, fetch c 1, hook before, hook drain, unpack a 2, configure a 2, unpack b 2, configure b 2, " +
		"unpack c 2, configure c 2, restart a.service, restart b.service, restart c.service, hook undrain, hook after"
	if hooks != want {
		t.Errorf("it did\n%s\nwant\n%s", hooks, want)
	}
	if status, out, err := w.run(); status != policies.Compliant || out.Phase != policies.PhaseDone || err != nil {
		t.Errorf("the next run = %s, %+v, %v", status, out, err)
	}
	w.sound("good cycle")
}

func TestProgress(t *testing.T) {
	w := newWorld(t)
	if cycle, _, _, _ := w.machine().Progress(); cycle != 0 {
		t.Errorf("before anything = cycle %d", cycle)
	}
	for at := 1; ; at++ {
		w = newWorld(t)
		w.killAt = at
		if w.run(); w.versions() == "a 2, b 2, c 1" {
			break
		}
	}
	cycle, phase, done, total := w.machine().Progress()
	if cycle != 1 || phase != policies.PhaseInstall || done != 1 || total != 3 {
		t.Errorf("with b just in = cycle %d, %s, %d of %d", cycle, phase, done, total)
	}
}
