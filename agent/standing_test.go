package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/agent/cause"
	"plumb/agent/watch"
	"plumb/inventory"
	"plumb/policies"
)

// shelf is a host with n files /0, /1 and so on, each but the first of which depends on the one before
// every fifth.
func shelf(t testing.TB, n int) *rig {
	t.Helper()
	r := newRig(t)
	var list []policies.Resource
	for i := range n {
		attributes, err := json.Marshal(map[string]string{"path": fmt.Sprintf("/%d", i), "content": "as it was"})
		if err != nil {
			t.Fatal(err)
		}
		one := policies.Resource{Address: address(i), Kind: "file", Policy: "p", Mode: policies.Enforce, Attributes: attributes}
		if i%5 == 4 {
			one.DependsOn = []string{address(i - 1)}
		}
		list = append(list, one)
	}
	r.agent.Decode = nil
	r.enroll("")
	r.publish(1, 0, r.tree("hello", list...))
	r.round()
	return r
}

func address(i int) string { return fmt.Sprintf("file.f%d", i) }

// drift changes files and has them mended in one go.
func (r *rig) drift(numbers ...int) {
	r.t.Helper()
	var event watch.Event
	for _, i := range numbers {
		if err := os.WriteFile(filepath.Join(r.root, fmt.Sprint(i)), []byte("drift"), 0o644); err != nil {
			r.t.Fatal(err)
		}
		event.Drifts = append(event.Drifts, watch.Drift{Address: address(i)})
	}
	if _, err := r.agent.Mend(r.t.Context(), event); err != nil {
		r.t.Fatal(err)
	}
}

// seen is what somebody finds who starts now.
func (r *rig) seen() (Last, cause.Memory) {
	r.t.Helper()
	fresh := &Agent{Dir: r.agent.Dir, Log: r.agent.Log}
	last, ok, err := fresh.loadLast()
	if err != nil || !ok {
		r.t.Fatal("there is no last run:", err)
	}
	memory, err := fresh.loadMemory("runs")
	if err != nil {
		r.t.Fatal(err)
	}
	return last, memory
}

func status(last Last, address string) policies.Status {
	for _, one := range last.Result.Resources {
		if one.Address == address {
			return one.Status
		}
	}
	return ""
}

// However the host drifts, the files say the same as the memory of the daemon, and as a daemon finds
// that starts anew before each mend.
func TestFilesSayWhatStands(t *testing.T) {
	const files = 60
	r, other := shelf(t, files), shelf(t, files)
	rnd := rand.New(rand.NewSource(7))
	for i := range 10 {
		numbers := rnd.Perm(files)[:1+rnd.Intn(3)+i%5*5] // more and more, past what is kept apart
		r.drift(numbers...)
		other.agent.standing = nil
		other.drift(numbers...)
		if i%4 == 3 {
			r.round()
			other.round()
		}
		last, memory := r.seen()
		if diff := cmp.Diff(r.agent.standing.last.Result, last.Result); diff != "" {
			t.Fatalf("after mend %d the files say something else than the daemon:\n%s", i, diff)
		}
		if diff := cmp.Diff(r.agent.standing.memory, memory); diff != "" {
			t.Fatalf("after mend %d the memory in the files is another one:\n%s", i, diff)
		}
		anew, _ := other.seen()
		if diff := cmp.Diff(anew.Result, last.Result); diff != "" {
			t.Fatalf("after mend %d a daemon that started anew tells (-) something else:\n%s", i, diff)
		}
	}
}

// One mend among many resources leaves the large files alone; many mends write them once more.
func TestMendWritesWhatDrifted(t *testing.T) {
	r := shelf(t, 100)
	r.round() // so that nothing is left to be told
	before := r.agent.seals()
	r.drift(1)
	if r.agent.seals() != before {
		t.Error("the mend of one file wrote the whole run")
	}
	last, _ := r.seen()
	if got := status(last, address(1)); got != policies.Repaired || len(last.Result.Resources) != 101 || len(last.Catalog.Resources) != 101 {
		t.Errorf("the run has %d results, and the file is %s", len(last.Result.Resources), got)
	}
	for i := range 5 {
		r.drift(8*i, 8*i+1, 8*i+2, 8*i+3, 8*i+4, 8*i+5, 8*i+6, 8*i+7)
	}
	if r.agent.seals() == before {
		t.Error("the mends of 40 files are kept apart still")
	}
}

// What was kept apart belongs to one run: it says nothing of a newer one, nor when it is damaged.
func TestMendedOfAnotherRun(t *testing.T) {
	r := shelf(t, 100)
	r.round()
	r.drift(1)
	path := filepath.Join(r.agent.Dir.Path, mendedFile)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, slices.Concat(old[:40], []byte("#"), old[41:]), 0o600); err != nil {
		t.Fatal(err)
	}
	if last, _ := r.seen(); status(last, address(1)) == policies.Repaired {
		t.Error("a damaged file is believed")
	}
	r.agent.standing = nil
	r.round() // writes a whole one
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if last, _ := r.seen(); status(last, address(1)) == policies.Repaired {
		t.Error("what belongs to another run is believed")
	}
	r.drift(2)
	if last, _ := r.seen(); status(last, address(2)) != policies.Repaired {
		t.Error("the mend after it is not found")
	}
}

// A mend also looks at what a killed one had begun, and tells of it.
func TestMendEndsWhatWasBegun(t *testing.T) {
	r := shelf(t, 100)
	r.round()
	dir, err := r.agent.Dir.Sub("runs")
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"begin":%q,"repair":{"run":%q,"changes":[{"attribute":"content"}],"cause":"corrective"}}`, address(7), time.Now().Add(time.Hour).Format(time.RFC3339))
	line := fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE([]byte(body)), body)
	if err := os.WriteFile(filepath.Join(dir, "journal"), line, 0o600); err != nil {
		t.Fatal(err)
	}
	r.drift(1)
	last, _ := r.seen()
	for _, i := range []int{1, 7} {
		if got := status(last, address(i)); got != policies.Repaired {
			t.Errorf("%s is %s, want repaired", address(i), got)
		}
	}
}

// The digest of a catalog says nothing of its secrets: those of other facts are not the ones that stand.
func TestMendWithOtherFacts(t *testing.T) {
	r := shelf(t, 100)
	attributes := func() json.RawMessage { return json.RawMessage(`{"path":"/secret","content":"` + r.bootID + `"}`) }
	plain := r.agent.Compile
	r.agent.Compile = func(ctx context.Context, raw []byte, host inventory.Host, facts inventory.Facts) (Compiled, error) {
		c, err := plain(ctx, raw, host, facts)
		c.Reads, c.Secret = []string{"fact.kernel"}, map[string]json.RawMessage{"file.secret": attributes()}
		return c, err
	}
	r.agent.Facts = func(context.Context) (inventory.Facts, error) {
		return inventory.Facts{Hostname: "h1", Arch: "amd64", Kernel: r.bootID}, nil
	}
	secret := policies.Resource{Address: "file.secret", Kind: "file", Policy: "p", Mode: policies.Enforce, Sensitive: []string{"content"}, Attributes: []byte("{}")}
	r.publish(2, 0, r.tree("hello", secret))
	for i, boot := range []string{"boot-1", "boot-2", "boot-2"} {
		r.bootID = boot
		r.round()
		if err := os.WriteFile(filepath.Join(r.root, "secret"), []byte("drift"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := r.agent.Mend(t.Context(), watch.Event{Drifts: []watch.Drift{{Address: "file.secret"}}}); err != nil {
			t.Fatal(err)
		}
		if raw, err := os.ReadFile(filepath.Join(r.root, "secret")); err != nil || string(raw) != boot {
			t.Errorf("mend %d wrote %q, %v, want the secret of %s", i, raw, err, boot)
		}
		if r.agent.standing == nil || r.compile != 2+min(i, 1) {
			t.Errorf("after mend %d the policy was compiled %d times", i, r.compile)
		}
	}
}

// Another release, or other facts, are no mend's business.
func TestMendAfterAnotherRelease(t *testing.T) {
	r := shelf(t, 100)
	r.publish(2, 0, r.tree("new"))
	r.round()
	r.drift(1)
	last, _ := r.seen()
	if len(last.Result.Resources) != 1 || last.Release != 2 {
		t.Errorf("after a mend release %d stands with %d resources, want 2 with one", last.Release, len(last.Result.Resources))
	}
	r.bootID = "boot-2"
	r.round()
	if got := r.agent.standing.found.BootID; got != "boot-2" {
		t.Errorf("the daemon goes on with the facts of %s", got)
	}
}
