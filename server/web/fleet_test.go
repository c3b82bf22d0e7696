package web

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/people"
	"plumb/server/rollout"
	"plumb/server/store"
	"plumb/server/views"
)

// start is when the tests take place.
var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// fleet is a real store that a test fills.
type fleet struct {
	t      testing.TB
	dir    string
	store  *store.Store
	policy views.Policy
	stored map[string]bool
	// persons are made when they are asked for.
	persons *people.People
	// driver is set where the engine of rollouts takes part.
	driver *rollout.Driver
	// glancer takes the driver's place on pages.
	glancer views.Glancer
	// role is that of whoever looks; empty is a viewer.
	role string
	// plans are what the newest release declares, planless why nobody can tell.
	plans    views.Plans
	planless error
	// work is what hosts are at right now.
	work []views.PatchProgress
	// later is by how much the server's clock is on.
	later time.Duration
}

func newFleet(t testing.TB) *fleet {
	t.Helper()
	dir := t.TempDir()
	st, err := store.Open(context.Background(), filepath.Join(dir, "plumb.db"))
	must(t, err)
	t.Cleanup(func() { st.Close() })
	return &fleet{t: t, dir: dir, store: st, policy: views.Policy{Mode: "trial", Signers: []string{"plumb-trial"}}, stored: map[string]bool{}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put stores a value as an object and returns its digest.
func (f *fleet) put(kind string, value any) string {
	f.t.Helper()
	raw, err := json.Marshal(value)
	must(f.t, err)
	ref := store.Ref{Kind: kind, Digest: inventory.Digest(raw)}
	if !f.stored[ref.Digest] {
		must(f.t, f.store.PutObject(f.t.Context(), ref, raw, start))
		f.stored[ref.Digest] = true
	}
	return ref.Digest
}

func (f *fleet) enrol(name string, labels map[string]string) inventory.HostID {
	f.t.Helper()
	ctx, at := f.t.Context(), start.Add(-40*24*time.Hour)
	must(f.t, f.store.CreateToken(ctx, store.Token{ID: "t-" + name, Hash: "h-" + name, Created: at, Expires: at.Add(time.Hour)}))
	id := inventory.HostID("id-" + name)
	h := store.Host{Host: inventory.Host{ID: id, Name: name, Labels: labels}, Key: "SHA256:" + name}
	must(f.t, f.store.CreateHost(ctx, h, "h-"+name, at))
	return id
}

// release adds the next release.
func (f *fleet) release(subject string, made time.Time) uint64 {
	f.t.Helper()
	f.policy.Release++
	f.policy.Commit = inventory.Digest([]byte(subject))[:40]
	must(f.t, f.store.PutObject(f.t.Context(), store.Ref{Kind: store.KindBundle, Digest: inventory.Digest([]byte(subject))}, []byte(subject), made))
	must(f.t, f.store.AddRelease(f.t.Context(), store.Release{
		Number: f.policy.Release, Commit: f.policy.Commit, Subject: subject, Author: "Ada Lovelace <ada@example.org>",
		Committed: made, Made: made, Bundle: inventory.Digest([]byte(subject)), Tag: inventory.Digest([]byte("t" + subject)), Size: 48211,
		RollbackTo: f.policy.Release - 1, Signer: "plumb-trial", Key: "SHA256:abc", Trial: true,
	}))
	return f.policy.Release
}

// report says how a host stands after one run: what is not named in the results is compliant.
type report struct {
	results  map[string]policies.ResourceResult
	problem  string
	mismatch bool
	stale    bool
	audit    bool
	// seen is how long ago it called.
	seen time.Duration
	// since is how long it has stood like this.
	since time.Duration
}

func (f *fleet) report(id inventory.HostID, r report) {
	f.t.Helper()
	ctx, at := f.t.Context(), start.Add(-r.since)
	result := f.result(r.results)
	h := store.Host{Release: f.policy.Release, Commit: f.policy.Commit, Facts: f.put(store.KindFacts, someFacts()),
		Catalog: f.put(store.KindCatalog, someCatalog()), Result: f.put(store.KindResult, result), Since: at, Ran: start.Add(-r.seen),
		Found: worstOf(result), Counts: result.Counts(), Problem: r.problem, Stale: r.stale, Audit: r.audit, BootID: "b"}
	step := store.Step{Report: policies.Report{Epoch: "e", Seq: 1}, NewInterval: true, Host: h}
	step.Events, step.Findings = f.happened(h, result, at)
	must(f.t, f.store.Accept(ctx, id, "", 0, []store.Step{step}, start))
	must(f.t, f.store.Seen(ctx, id, store.Heartbeat{Agent: "0.1.0"}, start.Add(-r.seen)))
	if r.mismatch {
		h.ID, h.Epoch, h.Seq = id, "e", 1
		must(f.t, f.store.SetExpected(ctx, []store.Expectation{{Host: h, Catalog: inventory.Digest([]byte("other"))}}, start))
	}
}

func (f *fleet) result(changed map[string]policies.ResourceResult) policies.Result {
	result := policies.Result{Catalog: f.put(store.KindCatalog, someCatalog())}
	for _, r := range someCatalog().Resources {
		one, ok := changed[r.Address]
		if !ok {
			one.Status = policies.Compliant
		}
		if r.NotApplicable {
			one.Status = policies.NotApplicable
		}
		one.Address, one.Mode = r.Address, r.Mode
		result.Resources = append(result.Resources, one)
	}
	return result
}

func worstOf(result policies.Result) policies.Status {
	var all []policies.Status
	for status := range maps.Keys(result.Counts()) {
		all = append(all, status)
	}
	return policies.Worst(all...)
}

// happened makes events and findings much as the server does.
func (f *fleet) happened(h store.Host, result policies.Result, at time.Time) ([]store.Event, []store.Finding) {
	var events []store.Event
	var findings []store.Finding
	for _, one := range result.Resources {
		e := store.Event{At: at, Address: one.Address, Cause: one.Cause, Status: one.Status, Changes: one.Changes,
			Release: h.Release, Commit: h.Commit, Message: one.Message, Before: policies.Compliant, By: one.By}
		switch {
		case one.Status == policies.Repaired:
			e.Kind = store.EventRepaired
		case views.Fine(one.Status):
			continue
		case one.Status == policies.Failed:
			e.Kind = store.EventFailed
		default:
			e.Kind = store.EventOpened
		}
		events = append(events, e)
		want := someCatalog().Find(one.Address)
		if !views.Fine(one.Status) {
			findings = append(findings, store.Finding{Address: one.Address, Status: one.Status, Since: at, Mode: one.Mode, Cause: one.Cause,
				Changes: one.Changes, Message: one.Message, Severity: want.Severity, Controls: want.Controls, Source: want.Source, By: one.By, Flapping: one.Flapping})
		}
	}
	if h.Problem != "" {
		events = append(events, store.Event{At: at, Kind: store.EventRefused, Release: h.Release, Commit: h.Commit, Message: h.Problem})
	}
	return events, findings
}

const (
	dropin   = "policy.ssh_baseline.file.dropin"
	maxAuth  = `policy.ssh_baseline.sshd_directive.limits["MaxAuthTries"]`
	sshd     = "policy.ssh_baseline.service.ssh"
	weakKeys = "policy.ssh_baseline.check.command.no_weak_host_keys"
	openssl  = "policy.patching.package.openssl"
	chrony   = "policy.time.service.chrony"
)

func someCatalog() policies.Catalog {
	ssh := func(line int) policies.Position { return policies.Position{File: "ssh/baseline.hcl", Line: line} }
	return policies.Catalog{Resources: []policies.Resource{
		{Address: dropin, Kind: "file", Policy: "ssh_baseline", Mode: policies.Enforce, Title: "Drop-in of the SSH server", Severity: "high", Source: ssh(8)},
		{Address: maxAuth, Kind: "sshd_directive", Policy: "ssh_baseline", Mode: policies.Audit, Severity: "medium", Controls: []string{"cis_debian12:5.1.16"}, Source: ssh(19)},
		{Address: sshd, Kind: "service", Policy: "ssh_baseline", Mode: policies.Enforce, Source: ssh(34), DependsOn: []string{dropin}},
		{Address: weakKeys, Kind: "command", Check: true, Policy: "ssh_baseline", Mode: policies.Audit, Controls: []string{"cis_debian12:5.1.2"}, Source: ssh(44)},
		{Address: openssl, Kind: "package", Policy: "patching", Mode: policies.Enforce, Source: policies.Position{File: "patching.hcl", Line: 3}},
		{Address: chrony, Kind: "service", Policy: "time", Mode: policies.Enforce, Source: policies.Position{File: "time.hcl", Line: 12}},
		{Address: "policy.laptops.file.vpn", Kind: "file", Policy: "laptops", Mode: policies.Enforce, NotApplicable: true, Source: policies.Position{File: "laptops.hcl", Line: 5}},
	}}
}

func someFacts() inventory.Facts {
	f := inventory.Facts{
		OS:     inventory.OS{Kernel: "linux", Family: "debian", ID: "debian", Version: "12", Codename: "bookworm", Name: "Debian GNU/Linux 12 (bookworm)"},
		Kernel: "6.1.0-56-amd64", Arch: "amd64", Hostname: "machine", CPUs: 4, MemoryMB: 7936, Timezone: "Etc/UTC",
		Packages:   map[string]string{},
		Interfaces: map[string][]string{"eth0": {"192.0.2.17/24", "2001:db8::17/64"}},
		Mounts:     map[string]inventory.Mount{"/": {Device: "/dev/vda1", Type: "ext4", Options: []string{"rw", "relatime"}}},
	}
	for i := range 30 {
		f.Packages[fmt.Sprintf("package-%02d", i)] = fmt.Sprintf("1:%d.2p1-2+deb12u3", i)
	}
	return f
}

// show fills the fleet with a host for each way to stand.
func (f *fleet) show() {
	f.t.Helper()
	f.release("Begin with the SSH baseline", start.Add(-9*24*time.Hour))
	f.release("Allow only four tries to log in", start.Add(-4*24*time.Hour))
	old := f.enrol("cache1.example.org", map[string]string{"role": "cache", "site": "ams"})
	f.report(old, report{seen: 26 * time.Hour, since: 4 * 24 * time.Hour})
	f.release("Keep time with chrony on every server", start.Add(-3*time.Hour))
	for i := range 11 {
		id := f.enrol(fmt.Sprintf("web%02d.example.org", i+1), map[string]string{"role": "web", "site": []string{"ams", "fra"}[i%2]})
		f.report(id, report{since: 3*time.Hour + time.Duration(i)*time.Minute, seen: 40 * time.Second})
	}
	for i := range 3 {
		id := f.enrol(fmt.Sprintf("db%d.example.org", i+1), map[string]string{"role": "db"})
		f.report(id, report{since: 50 * time.Minute, seen: 2 * time.Minute, results: map[string]policies.ResourceResult{maxAuth: tooMany()}})
	}
	f.report(f.enrol("mail1.example.org", map[string]string{"role": "mail"}), report{since: 25 * time.Minute, seen: 3 * time.Minute,
		results: map[string]policies.ResourceResult{dropin: edited()}})
	f.report(f.enrol("build1.example.org", map[string]string{"role": "build"}), report{since: 2 * time.Hour, seen: time.Minute,
		results: map[string]policies.ResourceResult{
			chrony:   {Status: policies.Failed, Cause: policies.Intentional, Message: "cannot start chrony.service: Job for chrony.service failed because the control process exited with error code.\nsystemctl status chrony.service says: adjtimex(0x8001) failed: Operation not permitted", Changes: []policies.Change{{Attribute: "running", Before: "false", After: "true"}}},
			maxAuth:  tooMany(),
			openssl:  {Status: policies.Pending, Message: "waits for the window sat_night", Changes: []policies.Change{{Attribute: "version", Before: "3.0.15-1~deb12u1", After: "3.0.17-1~deb12u2"}}},
			weakKeys: {Status: policies.Noncompliant, Message: "the output matches \\(DSA\\)|^1024 "},
			dropin:   edited(),
		}})
	f.report(f.enrol("edge1.example.org", nil), report{since: time.Hour, seen: 90 * time.Second, mismatch: true})
	f.report(f.enrol("edge2.example.org", map[string]string{"role": "edge"}), report{since: time.Hour, seen: 90 * time.Second,
		problem: "release 3 did not compile: time.hcl:12,5: Unknown fact; host edge2 has no fact.timezone"})
	must(f.t, f.store.Seen(f.t.Context(), f.enrol("new1.example.org", map[string]string{"role": "web"}), store.Heartbeat{Agent: "0.1.0"}, start))
	gone := f.enrol("retired1.example.org", nil)
	must(f.t, f.store.Revoke(f.t.Context(), gone, "ada", start.Add(-time.Hour)))
	_, err := f.store.MarkStale(f.t.Context(), start.Add(-time.Hour), start.Add(-25*time.Hour))
	must(f.t, err)
}

func tooMany() policies.ResourceResult {
	return policies.ResourceResult{Status: policies.Noncompliant, Cause: policies.Initial,
		Changes: []policies.Change{{Attribute: "value", Before: "6", After: "at most 4"}}}
}

func edited() policies.ResourceResult {
	return policies.ResourceResult{Status: policies.Repaired, Cause: policies.Corrective, Changes: []policies.Change{
		{Attribute: "mode", Before: "0666", After: "0600"},
		{Attribute: "content", Before: "3 lines", After: "3 lines",
			Diff: "--- /etc/ssh/sshd_config.d/10-baseline.conf\n+++ wanted\n@@ -1,3 +1,3 @@\n # Managed by Plumb\n-PermitRootLogin yes\n+PermitRootLogin no\n AllowGroups ssh-users admins auditors break-glass-operators emergency-responders\n"}}}
}
