package agent

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumb/inventory"
	"plumb/policies"
)

// begin writes the journal of a patch cycle that is under way.
func (r *rig) begin(rollout string) {
	r.t.Helper()
	files, err := r.agent.Dir.Sub("files")
	if err != nil {
		r.t.Fatal(err)
	}
	body := `{"seq":3,"rollout":"` + rollout + `","cycle":3,"stage":"restart","drained":true,"spec":{"Rollout":"` + rollout + `"}}`
	raw, err := json.Marshal(map[string]any{"sum": inventory.Digest([]byte(body)), "body": json.RawMessage(body)})
	if err != nil {
		r.t.Fatal(err)
	}
	path := filepath.Join(files, "patching", inventory.Digest([]byte(rollout))[:16]+".json")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// The rollout went while its cycle was under way: the host ends it, and tells only its own people.
func TestARolloutThatWentIsEnded(t *testing.T) {
	r, one := patchRig(t)
	var log bytes.Buffer
	r.agent.Log = slog.New(slog.NewTextHandler(&log, nil))
	r.round()
	r.begin("web")
	one.begun, one.done = true, 3
	r.grant(7, webSet("2")) // the server still gives it, and a new cycle is not for this host
	r.publish(2, 1, r.tree("two"))
	out := r.round()
	r.want("two", 2)
	if one.begun || len(one.orders) > 0 || one.done != 3 || out.Problem != "" {
		t.Errorf("the cycle is %+v after %+v", one, out)
	}
	last, _, err := r.agent.Newest()
	if err != nil || len(last.Astray) != 1 || last.Astray[0].Address != "rollout.web" || last.Astray[0].Status != policies.Repaired {
		t.Errorf("status knows %+v, %v", last.Astray, err)
	}
	for _, res := range last.Result.Resources {
		if res.Address == "rollout.web" {
			t.Error("the server would not expect it")
		}
	}
	if !strings.Contains(log.String(), "resource=rollout.web status=repaired") {
		t.Errorf("the log says\n%s", log.String())
	}
	one.begun = false
	log.Reset()
	r.round()
	if strings.Contains(log.String(), "status=repaired") {
		t.Errorf("the log tells it again\n%s", log.String())
	}
}

// One run by hand is about the policies at hand: what the server's release began is not its matter.
func TestARunByHandEndsNoStray(t *testing.T) {
	r, one := patchRig(t)
	r.round()
	r.begin("web")
	one.begun = true
	dir := t.TempDir()
	for name, data := range r.tree("hand") {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if last, err := r.agent.Apply(t.Context(), dir); err != nil || len(last.Astray) > 0 || !one.begun {
		t.Errorf("Apply = %+v, %v", last, err)
	}
}
