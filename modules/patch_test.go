package modules

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/inventory"
	"plumb/modules/patching"
	"plumb/modules/system"
	"plumb/policies"
	"plumb/policies/patch"
)

// oneOffer is a package manager with one package, of which only what Check asks for works.
type oneOffer struct{ system.PackageManager }

func (oneOffer) Name() string               { return "apt" }
func (oneOffer) OffersKey() (string, error) { return "key", nil }

func (oneOffer) CompareVersions(a, b string) (int, error) {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	return x - y, errors.Join(errX, errY)
}

func (oneOffer) InstalledVersions(context.Context) (map[system.Target]bool, error) {
	return map[system.Target]bool{{Name: "openssl", Arch: "amd64", Version: "1"}: true}, nil
}

func (o oneOffer) Origins(ctx context.Context, wanted []system.Target) (map[system.Target][]inventory.Offer, error) {
	found, err := o.Offers(ctx)
	return map[system.Target][]inventory.Offer{wanted[0]: found.List}, err
}

func (oneOffer) Offers(context.Context) (inventory.Offers, error) {
	return inventory.Offers{Manager: "apt", List: []inventory.Offer{{Package: "openssl", Source: "openssl", Arch: "amd64", Installed: "1", Candidate: "2",
		Origin: "Debian", Label: "Debian-Security", Codename: "bookworm-security", Manager: "apt"}}}, nil
}

func patchHost(t *testing.T, manager system.PackageManager) *system.System {
	set := patch.Set{Rollout: "security", Items: []patch.Item{{Manager: "apt", Package: "openssl", Source: "openssl", Arch: "amd64", Version: "2",
		Repository: "Debian/Debian-Security/bookworm-security"}}}
	return &system.System{Root: t.TempDir(), State: t.TempDir(), Manager: manager,
		Orders: []patch.Order{{Rollout: "other", Cycle: 9}, {Rollout: "security", Cycle: 3, Digest: "d", Set: set}}}
}

func decodePatch(t *testing.T) *Patch {
	t.Helper()
	raw, err := json.Marshal(Patch{Rollout: "security", Ring: "canary", Conffiles: "keep", Superseded: "wait", Rollback: "downgrade", Reboot: "never",
		Baseline: patch.Baseline{Name: "b", Sources: []patch.Source{{Label: "Debian-Security"}}}, Deadline: 3600})
	if err != nil {
		t.Fatal(err)
	}
	one, err := Decode(policies.Resource{Kind: "patch", Address: "rollout.security", Attributes: raw})
	if err != nil {
		t.Fatal(err)
	}
	return one.(*Patch)
}

func TestPatchListsWhatIsToCome(t *testing.T) {
	p := decodePatch(t)
	sys := patchHost(t, oneOffer{})
	changes, err := p.Check(context.Background(), sys)
	want := []policies.Change{{Attribute: "openssl", Before: "1", After: "2"}}
	if diff := cmp.Diff(want, changes); err != nil || diff != "" {
		t.Errorf("Check = %v:\n%s", err, diff)
	}
	if out := p.Patched(); out == nil || out.Cycle != 3 || out.Phase != policies.PhaseIdle || len(out.Missing) != 1 {
		t.Errorf("Patched = %+v", out)
	}
	sys.Permit = func(string) string { return "waits for the window night" }
	if err := p.Apply(context.Background(), sys, changes); !errors.Is(err, ErrWait) {
		t.Errorf("Apply outside the window = %v, want ErrWait", err)
	}
	if cycle, _, _, _ := p.Progress(sys); cycle != 0 {
		t.Errorf("Progress = cycle %d, want none under way", cycle)
	}
	if why := p.Presses(sys, time.Unix(3599, 0)); why != "" {
		t.Errorf("Presses before the deadline = %q", why)
	}
	if why := p.Presses(sys, time.Unix(3600, 0)); why == "" {
		t.Error("Presses at the deadline = nothing")
	}
}

func TestPatchWithoutAnOrder(t *testing.T) {
	p := decodePatch(t)
	sys := patchHost(t, nil) // there is no package manager either
	sys.Orders = sys.Orders[:1]
	changes, err := p.Check(context.Background(), sys)
	if err != nil || len(changes) > 0 || p.Patched().Phase != policies.PhaseIdle || p.Patched().Cycle != 0 {
		t.Errorf("Check = %v, %v, %+v", changes, err, p.Patched())
	}
}

func TestPatchWhereItCannotBeTold(t *testing.T) {
	p := decodePatch(t)
	if _, err := p.Check(context.Background(), patchHost(t, nil)); !errors.Is(err, ErrUnknown) {
		t.Errorf("Check without a package manager = %v, want ErrUnknown", err)
	}
	sys := patchHost(t, oneOffer{})
	sys.State = ""
	if _, err := p.Check(context.Background(), sys); !errors.Is(err, ErrUnknown) {
		t.Errorf("Check without a state folder = %v, want ErrUnknown", err)
	}
}

func TestPatchIsOfNoBlock(t *testing.T) {
	kind, ok := Find("patch", false)
	if !ok || !kind.Internal {
		t.Errorf("Find(patch) = %+v, %v, want an internal kind", kind, ok)
	}
	if _, ok := Find("patch", true); ok {
		t.Error("there is a check of patches")
	}
	for _, k := range Kinds() {
		if !k.Check && k.Name != "patch" && k.Rank >= kind.Rank {
			t.Errorf("%s comes after patches, which come last", k.Name)
		}
	}
}

// What a journal keeps of a rollout is all that the rollout said of patching.
func TestPatchOfAJournal(t *testing.T) {
	kernels := 1
	want := patching.Spec{Rollout: "security", Baseline: patch.Baseline{Name: "b", Approved: []string{"x"}}, Conffiles: "hold", Superseded: "newest",
		Rollback: "snapshot", Reboot: "never", Deadline: time.Hour, Grace: time.Minute, MinFree: map[string]int64{"/": 1}, Kernels: &kernels,
		Hooks: &policies.Hooks{Drain: []string{"out"}, Undrain: []string{"in"}}, Probes: []policies.Probe{{Name: "p", TCP: "127.0.0.1:80"}}}
	spec := reflect.ValueOf(want)
	for i := range spec.NumField() {
		if spec.Field(i).IsZero() {
			t.Errorf("this test says nothing about %s", spec.Type().Field(i).Name)
		}
	}
	raw, err := json.Marshal(patchOf(want))
	if err != nil {
		t.Fatal(err)
	}
	one, err := Decode(policies.Resource{Kind: "patch", Address: "rollout.security", Attributes: raw})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, one.(*Patch).spec()); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}
