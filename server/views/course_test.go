package views

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"plumb/policies"
	"plumb/server/store"
)

func TestCourseStretches(t *testing.T) {
	hour := func(n int) time.Time { return rollStart.Add(time.Duration(n) * time.Hour) }
	c := Course{From: hour(2), To: hour(10)}
	for _, i := range []store.Interval{
		{Since: hour(0), Until: hour(1), Status: policies.Failed},     // before
		{Since: hour(1), Until: hour(3), Status: policies.Compliant},  // begins before
		{Since: hour(3), Until: hour(4), Status: policies.Compliant},  // is joined
		{Since: hour(4), Until: hour(4), Status: policies.Failed},     // took no time
		{Since: hour(4), Until: hour(6), Status: ""},                  // no answer
		{Since: hour(7), Status: policies.Stale},                      // behind a gap, lasts
		{Since: hour(11), Until: hour(12), Status: policies.Repaired}, // after
	} {
		c.add(i)
	}
	want := []Stretch{{hour(2), hour(4), policies.Compliant}, {hour(4), hour(6), policies.Unknown}, {hour(7), hour(10), policies.Stale}}
	if diff := cmp.Diff(want, c.Stretches); diff != "" {
		t.Errorf("stretches (-want +got):\n%s", diff)
	}
}

func TestWantedHidesSecrets(t *testing.T) {
	got := wantedOf(policies.Resource{Attributes: []byte(`{"content":"hunter2","path":"/etc/x","n":[1,2]}`), Sensitive: []string{"content"}})
	want := []Wanted{{Name: "content", Sensitive: true}, {Name: "n", Value: "[1,2]"}, {Name: "path", Value: "/etc/x"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("wanted (-want +got):\n%s", diff)
	}
}
