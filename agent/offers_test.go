package agent

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"plumb/inventory"
)

// write puts a file below the root of the host.
func (r *rig) write(name, text string) {
	r.t.Helper()
	full := filepath.Join(r.root, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// offering gives the host one installed package and one list that has the version.
func (r *rig) offering(version string) {
	r.t.Helper()
	r.write("var/lib/dpkg/status", "Package: web\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0\n\n")
	r.write("var/lib/apt/lists/site_dists_x-security_Release", "Origin: Debian\nLabel: Debian-Security\nCodename: x-security\n")
	r.write("var/lib/apt/lists/site_dists_x-security_main_binary-amd64_Packages", "Package: web\nVersion: "+version+"\nArchitecture: amd64\n\n")
}

func TestOffersAreReported(t *testing.T) {
	r := newRig(t)
	r.offering("1.1")
	r.publish(1, 0, r.tree("one"))
	r.enroll("https://")
	r.round()
	r.round() // the repair of the first is over
	reports := r.Reports()
	if len(reports) != 2 || reports[0].Offers == "" || reports[1].Offers != reports[0].Offers {
		t.Fatalf("reports = %+v, want two with the same offers", reports)
	}
	var found inventory.Offers
	if err := json.Unmarshal(r.Object(reports[0].Offers), &found); err != nil {
		t.Fatal(err)
	}
	if len(found.List) != 1 || found.List[0].Candidate != "1.1" || !found.List[0].Security {
		t.Errorf("offers = %+v", found)
	}
	r.round()
	if n := len(r.Reports()); n != 2 {
		t.Errorf("%d reports, want no third: nothing happened", n)
	}
	r.offering("1.20")
	r.round()
	reports = r.Reports()
	if len(reports) != 3 || reports[2].Offers == reports[1].Offers {
		t.Fatalf("reports = %+v, want a third with other offers", reports)
	}
}

func TestUnreadableOffersAreUnknown(t *testing.T) {
	r := newRig(t)
	r.offering("1.1")
	r.write("var/lib/apt/lists/site_dists_x-security_contrib_binary-amd64_Packages.lz4", "packed")
	r.publish(1, 0, r.tree("one"))
	r.enroll("https://")
	r.round()
	reports := r.Reports()
	if len(reports) != 1 || reports[0].Offers != "" || reports[0].Result == "" {
		t.Errorf("reports = %+v, want one without offers and with a result", reports)
	}
	r.want("one", 1)
}
