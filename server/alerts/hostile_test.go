package alerts

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"plumb/testenv/hostile"
)

// TestHostileMessages tells a corpus to all receivers: syslog and CEF are one line that nothing steers, and what goes
// to webhooks is JSON that says the text and nothing beside it.
func TestHostileMessages(t *testing.T) {
	n := 500
	if os.Getenv("PLUMB_SOAK") == "1" {
		n = 5000
	}
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, text := range hostile.Texts(6, n) {
		var m Message
		m.ID, m.Incident, m.What, m.Server = text, text, Opened, text
		m.Alert.Kind, m.Alert.Subject, m.Alert.Severity, m.Alert.Detail, m.Alert.Opened = text, text, "high", text, at
		for _, format := range []string{"", "cef"} {
			if got := syslogLine(m, format, at); strings.ContainsFunc(got, invisible) {
				t.Errorf("syslog %s of %q is %q", format, text, got)
			}
		}
		for name, f := range forms() {
			r, _ := f.write(Webhook{URL: "https://example.org/hook"}, m, at)
			if !json.Valid(r.body) || strings.ContainsAny(string(r.body), "\n\r\x00\x1b") {
				t.Errorf("the form %s of %q is %q", name, text, r.body)
			}
			for key, values := range r.header {
				if strings.ContainsAny(strings.Join(values, ""), "\r\n") {
					t.Errorf("the form %s of %q has the header %s: %q", name, text, key, values)
				}
			}
		}
	}
}

// invisible tells of what no line of text shows.
func invisible(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}
