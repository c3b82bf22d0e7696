package web

import (
	"net/url"
	"strings"
	"testing"
)

var longWhenEscaped = "/" + strings.Repeat("\xa7", mostNext-100)

func TestLocalPath(t *testing.T) {
	for wanted, want := range map[string]string{
		"/hosts":                        "/hosts",
		"/hosts?q=web&status=stale":     "/hosts?q=web&status=stale",
		"/drift?address=a%5b%22b%22%5d": "/drift?address=a%5b%22b%22%5d",
		"/hosts/a%2Fb":                  "/hosts/a%2Fb",
		"/?a=https://example.org":       "/?a=https://example.org",
		"":                              "/",
		"hosts":                         "/",
		"?q=x":                          "/",
		"https://evil.example.org/":     "/",
		"//evil.example.org":            "/",
		"///evil.example.org":           "/",
		"/\\evil.example.org":           "/",
		"\\\\evil.example.org":          "/",
		"/%5Cevil.example.org":          "/",
		"/%2F/evil.example.org":         "/",
		"/%2Fevil.example.org":          "/",
		"/\t/evil.example.org":          "/",
		"\x00/evil":                     "/",
		" //evil.example.org":           "/",
		"/a\r\nSet-Cookie: x=y":         "/",
		"javascript:alert(1)":           "/",
		"data:text/html,x":              "/",
		"https:/evil.example.org":       "/",
		"/signin?next=/signin":          "/",
		"/signin/abc":                   "/",
		"/signout":                      "/",
		"/welcome/abc":                  "/",
		"/v1/status":                    "/",
		"/hosts#x":                      "/hosts",
		"/" + strings.Repeat("x", 3000): "/",
		longWhenEscaped:                 "/",
	} {
		if got := localPath(wanted); got != want {
			t.Errorf("localPath(%q) = %q, want %q", wanted, got, want)
		}
	}
}

func FuzzLocalPath(f *testing.F) {
	for _, seed := range []string{"/hosts?q=a", "//evil.example.org", "/\\evil", "/%2Fevil", "https://evil", "/./\\/evil", "/..//evil", "/a/../..//evil", "%2F0", "/\u2028/evil", "/%09/evil", longWhenEscaped} {
		f.Add(seed)
	}
	home, err := url.Parse("https://plumb.example.org:7443/signin")
	must(f, err)
	f.Fuzz(func(t *testing.T, wanted string) {
		got := localPath(wanted)
		to, err := home.Parse(got)
		if err != nil || to.Scheme != "https" || to.Host != home.Host || to.User != nil {
			t.Fatalf("localPath(%q) = %q, which leads to %v, %v", wanted, got, to, err)
		}
		// Browsers take a backslash for a slash, and drop tabs and line ends.
		if !strings.HasPrefix(got, "/") || strings.HasPrefix(got, "//") || strings.ContainsAny(got, "\\\t\r\n") {
			t.Fatalf("localPath(%q) = %q, which a browser may read otherwise", wanted, got)
		}
		if localPath(got) != got {
			t.Fatalf("localPath(%q) = %q, and of that %q", wanted, got, localPath(got))
		}
	})
}
