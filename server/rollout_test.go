package server_test

import (
	"net/http"
	"strings"
	"testing"

	"plumb/server/api"
	"plumb/server/views"
)

// TestActsOnRolloutsAreRecorded wants to know later who did what, and why.
func TestActsOnRolloutsAreRecorded(t *testing.T) {
	r := start(t)
	ada := r.person(t, "operator")
	if code := ada.do(t, "POST", "/v1/freeze", api.ActRequest{}, nil); code != http.StatusConflict {
		t.Errorf("a freeze without a reason: %d, want 409", code)
	}
	if code := ada.do(t, "POST", "/v1/freeze", api.ActRequest{Reason: "Year end"}, nil); code != http.StatusOK {
		t.Fatalf("freeze: %d", code)
	}
	var now views.Freeze
	r.ask(t, "GET", "/v1/freeze", nil, &now)
	if !now.Frozen || now.By == nil || now.By.Who != "a-operator" || now.By.Why != "Year end" {
		t.Errorf("freeze = %+v", now)
	}
	if code := ada.do(t, "POST", "/v1/unfreeze", api.ActRequest{Reason: "Over"}, nil); code != http.StatusOK {
		t.Fatalf("unfreeze: %d", code)
	}
	if code := ada.do(t, "POST", "/v1/rollouts/7/pause", api.ActRequest{Reason: "x"}, nil); code != http.StatusNotFound {
		t.Errorf("pause of no release: %d, want 404", code)
	}
	if code := ada.do(t, "GET", "/v1/rollouts/newest", nil, nil); code != http.StatusNotFound {
		t.Errorf("newest of none: %d, want 404", code)
	}
	var acts []views.Act
	r.ask(t, "GET", "/v1/acts", nil, &acts)
	var text []string
	for _, one := range acts {
		text = append(text, one.Who+" "+one.What+" "+one.Detail)
	}
	all := strings.Join(text, "\n")
	for _, want := range []string{"a-operator freeze Year end", "a-operator unfreeze Over"} {
		if !strings.Contains(all, want) {
			t.Errorf("the acts lack %q:\n%s", want, all)
		}
	}
}
