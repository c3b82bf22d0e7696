package release

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

// host enrols a host that has reported facts.
func (w *world) host(name string, facts inventory.Facts) {
	w.t.Helper()
	raw, err := json.Marshal(facts)
	if err != nil {
		w.t.Fatal(err)
	}
	now := time.Now()
	id := inventory.HostID(name + "-id")
	digest := inventory.Digest(raw)
	report := policies.Report{Epoch: "e", Seq: 1, Facts: digest, Started: now, Finished: now}
	for _, err := range []error{
		w.desk.Store.CreateToken(w.ctx, store.Token{ID: name, Hash: name, Created: now, Expires: now.Add(time.Hour)}),
		w.desk.Store.CreateHost(w.ctx, store.Host{Host: inventory.Host{ID: id, Name: name, Labels: map[string]string{"role": "web"}}, Key: "SHA256:" + name, Enrolled: now}, name, now),
		w.desk.Store.PutObject(w.ctx, store.Ref{Kind: store.KindFacts, Digest: digest}, raw, now),
		w.desk.Store.Accept(w.ctx, id, "", 0, []store.Step{{Report: report, Host: store.Host{Facts: digest, Since: now, Ran: now, Found: policies.Compliant}, NewInterval: true}}, now),
	} {
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func facts(id, kernel string) inventory.Facts {
	return inventory.Facts{OS: inventory.OS{Kernel: "linux", Family: "debian", ID: id}, Kernel: kernel, Arch: "amd64"}
}

const motd = `
policy "motd" {
  title = "Message of the day"
  resource "file" "motd" {
    path    = "/etc/motd"
    content = "Runs ${fact.kernel}.\n"
  }
}
`

func TestPushShowsFleet(t *testing.T) {
	w := newWorld(t)
	w.host("web1", facts("debian", "6.1.0"))
	w.host("web2", facts("debian", "6.1.0"))
	w.commit(map[string]string{"motd.hcl": motd})
	out := w.push("main")
	if want := "plumb: 1 policy, 1 resource; changes 2 of 2 hosts → release 1"; !strings.Contains(out, want) {
		t.Errorf("the push does not say %q:\n%s", want, out)
	}
	// What only one host runs into is found before that host sees it.
	w.host("web3", inventory.Facts{OS: inventory.OS{Kernel: "linux"}, Arch: "amd64"})
	w.commit(map[string]string{"motd.hcl": strings.Replace(motd, "Runs", "Has", 1)})
	w.refused([]string{"on motd.hcl line 6", "for host web3", "is not taken"}, "main")
	w.commit(map[string]string{"motd.hcl": strings.Replace(motd, "${fact.kernel}", `${try(fact.kernel, "?")}`, 1)})
	w.push("main")
	if problems, err := w.desk.Validate(w.ctx, map[string][]byte{"a.hcl": []byte("policy {")}); err != nil || len(problems) == 0 {
		t.Errorf("Validate() = %v, %v, want a problem", problems, err)
	}
}

func TestCostlyPolicyIsRefused(t *testing.T) {
	w := newWorld(t)
	w.commit(map[string]string{"a.hcl": "locals {\n  x = " + strings.Repeat("[", 60_000) + "\n}\n"})
	w.refused([]string{"plumb: error"}, "main")
	w.latest(0)
}
