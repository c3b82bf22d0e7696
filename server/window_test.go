package server_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestFeedOfWindows(t *testing.T) {
	c := start(t).socket()
	for path, want := range map[string]struct {
		code int
		kind string
		body string
	}{
		"/v1/windows.ics":             {http.StatusOK, "text/calendar; charset=utf-8", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"},
		"/v1/windows":                 {http.StatusOK, "application/json; charset=utf-8", `"openings": []`},
		"/v1/windows?host=nobody":     {http.StatusNotFound, "application/json; charset=utf-8", `there is no host \"nobody\"`},
		"/v1/windows.ics?host=nobody": {http.StatusNotFound, "application/json; charset=utf-8", `there is no host \"nobody\"`},
		"/v1/windows?days=-1":         {http.StatusBadRequest, "application/json; charset=utf-8", "is not a number"},
	} {
		resp, err := c.http.Get(c.base + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if kind := resp.Header.Get("Content-Type"); resp.StatusCode != want.code || kind != want.kind || !strings.Contains(string(body), want.body) {
			t.Errorf("%s: %d, %s: %s", path, resp.StatusCode, kind, body)
		}
	}
}
