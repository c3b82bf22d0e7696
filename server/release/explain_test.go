package release

import (
	"errors"
	"strings"
	"testing"

	"plumb/inventory"
	"plumb/server/store"
)

func TestExplain(t *testing.T) {
	w := newWorld(t)
	w.host("web1", facts("debian", "6.1.0"))
	w.commit(map[string]string{"motd.hcl": motd})
	w.push("main")
	h, err := w.desk.Store.HostByName(w.ctx, "web1")
	if err != nil {
		t.Fatal(err)
	}
	why, number, err := w.desk.Explain(w.ctx, h, "file.motd.content")
	if err != nil || number != 1 || why.Explanation == nil {
		t.Fatalf("Explain() = %+v, %d, %v", why, number, err)
	}
	got := why.Explanation.Attributes[0]
	if string(got.Value) != `"Runs 6.1.0.\n"` || got.At.Line != 6 || len(got.Reads) != 1 || got.Reads[0].Name != "fact.kernel" {
		t.Errorf("content = %+v, want its line and the fact", got)
	}
	if why, _, err = w.desk.Explain(w.ctx, h, "file.mot"); err != nil || !strings.Contains(why.Unknown, "Did you mean policy.motd.file.motd?") {
		t.Errorf("Explain() = %+v, %v, want the nearest address", why, err)
	}
	if _, _, err := w.desk.Explain(w.ctx, store.Host{Host: inventory.Host{Name: "new"}}, "file.motd"); !errors.Is(err, ErrNoFacts) {
		t.Errorf("Explain() = %v for a host without facts, want %v", err, ErrNoFacts)
	}
	h.Release = 9
	if _, _, err := w.desk.Explain(w.ctx, h, "file.motd"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Explain() = %v for a release that is not there, want %v", err, store.ErrNotFound)
	}
}

// The host is explained by what it runs, not by what is newest.
func TestExplainRunningRelease(t *testing.T) {
	w := newWorld(t)
	w.host("web1", facts("debian", "6.1.0"))
	w.commit(map[string]string{"motd.hcl": motd})
	w.push("main")
	w.commit(map[string]string{"motd.hcl": strings.Replace(motd, "Runs", "Has", 1)})
	w.push("main")
	h, err := w.desk.Store.HostByName(w.ctx, "web1")
	if err != nil {
		t.Fatal(err)
	}
	for release, want := range map[uint64]string{0: "Has", 1: "Runs", 2: "Has"} {
		h.Release = release
		why, _, err := w.desk.Explain(w.ctx, h, "file.motd.content")
		if err != nil || !strings.Contains(string(why.Explanation.Attributes[0].Value), want) {
			t.Errorf("release %d is explained as %+v, %v, want %s", release, why.Explanation, err, want)
		}
	}
}
