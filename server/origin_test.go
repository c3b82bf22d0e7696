package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"plumb/server/api"
	"plumb/server/web"
)

// TestNoOtherSiteActs walks every route that is not only read, as a page of another site would
// with the browser of an administrator who is signed in.
func TestNoOtherSiteActs(t *testing.T) {
	r := start(t)
	c := r.signedIn(t, "admin")
	walked := 0
	for _, route := range (&api.API{}).Routes(web.Pages{}.Routes()...) {
		if route.Method == http.MethodGet {
			continue
		}
		walked++
		path := strings.NewReplacer(":digest", strings.Repeat("0", 64), ":number", "1", ":name", "nobody", ":id", "nothing", ":code", "x").Replace(route.Path)
		for name, header := range map[string][2]string{
			"another site":         {"Sec-Fetch-Site", "cross-site"},
			"a sibling":            {"Sec-Fetch-Site", "same-site"},
			"an old browser":       {"Origin", "https://evil.example.org"},
			"a sandboxed document": {"Origin", "null"},
		} {
			if code, body := r.asPage(t, c, route.Method, path, header); code != http.StatusForbidden || !strings.Contains(strings.ToLower(body), "this request came from another site") {
				t.Errorf("%s at %s %s = %d, want 403: %.200s", name, route.Method, route.Path, code, body)
			}
		}
		if route.Path == "/signout" {
			continue // it would end the session that the others need
		}
		if _, body := r.asPage(t, c, route.Method, path, [2]string{"Sec-Fetch-Site", "same-origin"}); strings.Contains(strings.ToLower(body), "came from another site") {
			t.Errorf("our own page at %s %s is taken for another site's", route.Method, route.Path)
		}
	}
	if walked < 20 {
		t.Errorf("only %d routes were walked", walked)
	}
	if code, _, err := c.try("GET", "/account", nil); err != nil || code != http.StatusOK {
		t.Errorf("the session has ended meanwhile: %d, %v", code, err)
	}
}

// asPage sends what a page of some origin makes a browser send, and waits out a full bucket.
func (r *running) asPage(t *testing.T, c client, method, path string, header [2]string) (int, string) {
	t.Helper()
	c.header = http.Header{}
	c.header.Set(header[0], header[1])
	for {
		code, body, err := c.try(method, path, map[string]string{"surely": "no field of anything"})
		if err != nil {
			t.Fatal(err)
		}
		if code != http.StatusTooManyRequests {
			return code, string(body)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
