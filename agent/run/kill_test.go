package run

import (
	"context"
	"encoding/json"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumb/modules/system"
	"plumb/policies"
)

// TestMain turns this program into the agent that gets killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("PLUMB_RUN_CHILD"); dir != "" {
		changeForEver(dir)
	}
	os.Exit(m.Run())
}

// killCatalog wants a text in a box that notifies another one.
func killCatalog(dir, text string) policies.Catalog {
	res := func(name, text string, notify ...string) policies.Resource {
		raw, err := json.Marshal(&box{Path: filepath.Join(dir, name), Text: text, Slow: true, Trace: filepath.Join(dir, "trace")})
		if err != nil {
			panic(err)
		}
		return policies.Resource{Address: "box." + name, Kind: "box", Mode: policies.Enforce, Attributes: raw, Notify: notify}
	}
	return policies.Catalog{Resources: []policies.Resource{res("a", text, "box.z"), res("z", "z")}}
}

func runKill(dir, text string) (policies.Result, error) {
	j, err := OpenJournal(dir, time.Time{})
	if err != nil {
		return policies.Result{}, err
	}
	r := &Runner{Decode: decodeBox, System: &system.System{Root: "/"}, Journal: j}
	result, err := r.Run(context.Background(), killCatalog(dir, text), "digest", time.Now())
	if err != nil {
		return result, err
	}
	appendTo(filepath.Join(dir, "trace"), "end\n")
	return result, j.Reported()
}

func changeForEver(dir string) {
	for i := 0; ; i++ {
		if _, err := runKill(dir, strings.Repeat("x", i%7+1)); err != nil {
			panic(err)
		}
	}
}

// However a run is cut off, a change of box a is followed by a refresh of box z, at the latest
// in the next run.
func TestNotificationSurvivesAKill(t *testing.T) {
	kills := 20
	if os.Getenv("PLUMB_SOAK") == "1" {
		kills = 2000
	}
	dir := t.TempDir()
	trace := filepath.Join(dir, "trace")
	cutOff := 0
	for i := 0; i < kills || cutOff == 0 && i < 10*kills; i++ { // on a busy machine many lives are too short
		os.Remove(trace)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "PLUMB_RUN_CHILD="+dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(15+rand.Intn(40)) * time.Millisecond) // a real process has real time
		cmd.Process.Kill()
		cmd.Wait()
		if end := cmd.ProcessState.String(); end != "signal: killed" {
			t.Fatalf("the agent was not killed but ended with %s", end)
		}
		text, _ := os.ReadFile(filepath.Join(dir, "a"))
		raw, _ := os.ReadFile(trace)
		owed := strings.LastIndex(string(raw), "apply a") > strings.LastIndex(string(raw), "refresh z")
		os.Remove(trace)
		result, err := runKill(dir, string(text)) // what is on the disk is wanted: only the journal knows
		if err != nil {
			t.Fatal(err)
		}
		if !owed || len(text) == 0 {
			continue
		}
		cutOff++
		if after, _ := os.ReadFile(trace); !strings.Contains(string(after), "refresh z") || result.Resources[0].Status != policies.Repaired {
			t.Fatalf("after a kill in %q the next run did %q with %s", raw, after, result.Resources[0].Status)
		}
	}
	if cutOff == 0 {
		t.Errorf("none of the kills came between a change and its notification: the test proves nothing")
	}
}

func FuzzJournal(f *testing.F) {
	f.Add(line(entry{Begin: "box.a", Notify: []string{"box.z"}}))
	f.Add([]byte("00000000 {}\ngarbage"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		genuine := line(entry{Begin: "box.x", Notify: []string{"box.y"}})
		if err := os.WriteFile(filepath.Join(dir, "journal"), append(append([]byte{}, genuine...), raw...), 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := OpenJournal(dir, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		if !j.waits("box.x") && !strings.Contains(string(raw), "box.") {
			t.Errorf("%q behind a good line lost it", raw)
		}
	})
}
