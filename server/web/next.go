package web

import (
	"net/http"
	"net/url"
	"strings"
)

// mostNext bounds the address that is wanted after signing in, in bytes.
const mostNext = 2000

// localPath returns where to go after signing in: the page that was wanted when it is one of this
// server's, else the overview. Whoever makes the link must not choose a site for the person.
func localPath(wanted string) string {
	u, err := url.Parse(wanted)
	switch {
	case err != nil, !strings.HasPrefix(wanted, "/"), len(wanted) > mostNext, strings.ContainsFunc(wanted, isOdd):
	case u.Scheme != "", u.Host != "", u.User != nil, u.Opaque != "", !strings.HasPrefix(u.Path, "/"), strings.Contains(u.Path, "//"), strings.Contains(u.Path, "\\"):
	case !isPage(u.Path):
	default:
		if path := u.RequestURI(); len(path) <= mostNext { // bytes that had to be escaped are three now
			return path
		}
	}
	return "/"
}

// isOdd finds what browsers drop from addresses, or take for a slash.
func isOdd(r rune) bool { return r <= ' ' || r == 0x7f || r == '\\' }

// isPage tells whether there is something to see for people who are signed in.
func isPage(path string) bool {
	for _, not := range []string{"/signin", "/signout", "/welcome", "/static", "/v1"} {
		if path == not || strings.HasPrefix(path, not+"/") {
			return false
		}
	}
	return true
}

// wantedBy is the page that a request was for; a form that somebody sent is not sent again.
func wantedBy(r *http.Request) string {
	if r.Method != http.MethodGet {
		return "/"
	}
	return localPath(r.URL.RequestURI())
}
