package web

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestEveryAnswerIsHardened walks every page as a stranger and as somebody who is signed in, and
// the ways in themselves.
func TestEveryAnswerIsHardened(t *testing.T) {
	f := newFleet(t)
	f.show()
	f.provide()
	f.account("ada", "viewer", lamp)
	in := f.visitor()
	in.signIn("ada", lamp, "/")
	paths := []string{"/nothing", "/signin/oidc/callback?code=x&state=y", "/signin/" + f.code(start.Add(time.Minute))}
	for _, r := range (Pages{Read: policyless}).Routes() {
		if !strings.HasPrefix(r.Path, "/static") && r.Path != "/signout" {
			paths = append(paths, r.Method+strings.NewReplacer(":name", "web01.example.org", ":number", "3", ":code", "x", ":id", "x").Replace(r.Path))
		}
	}
	for _, path := range paths {
		method, path, _ := strings.Cut(path, "/")
		if method == "" {
			method = http.MethodGet
		}
		for who, v := range map[string]*visitor{"a stranger": f.visitor(), "ada": in} {
			got := v.send(method, "/"+path, nil)
			for _, wrong := range unhardened(got.Header) {
				t.Errorf("%s /%s for %s (%d): %s", method, path, who, got.StatusCode, wrong)
			}
		}
	}
}

// unhardened lists what is missing of what every page has to carry.
func unhardened(h http.Header) (wrong []string) {
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		"Strict-Transport-Security": "max-age=31536000", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
	} {
		if h.Get(name) != want {
			wrong = append(wrong, name+" is "+h.Get(name))
		}
	}
	policy := map[string]string{}
	for part := range strings.SplitSeq(h.Get("Content-Security-Policy"), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), " ")
		policy[name] = value
	}
	for name, want := range map[string]string{"default-src": "'none'", "form-action": "'self'", "frame-ancestors": "'none'", "base-uri": "'none'", "script-src": "'self'", "style-src": "'self'"} {
		if policy[name] != want {
			wrong = append(wrong, "the content policy has "+name+" "+policy[name])
		}
	}
	return wrong
}
