package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"plumb/server/api"
)

// past is the instant that a page is about, and the way to another one.
type past struct {
	// At is the instant, zero for now; Unknown names what nobody wrote down then.
	At      time.Time
	Unknown string
	// Action is the page, and Kept what stays of its address when somebody chooses another instant.
	Action string
	Kept   []pair
	// Now is the same page as of now.
	Now string
}

// formTime is how browsers send what was put into a field for a time.
const formTime = "2006-01-02T15:04"

// instantOf reads which instant is asked about. Nothing is known of what is still to come, so that it is now then.
func instantOf(c *api.Call, path string, q url.Values) (past, error) {
	p := past{Action: path, Now: link(path, q, "")}
	for name, values := range q {
		for _, value := range values {
			p.Kept = append(p.Kept, pair{name, value})
		}
	}
	text := c.Query("as_of")
	if text == "" {
		return p, nil
	}
	for _, layout := range []string{time.RFC3339, formTime, time.DateOnly} {
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		if t.Before(c.Now) {
			p.At = t.UTC()
		}
		return p, nil
	}
	return p, &api.Error{Code: http.StatusBadRequest, Text: fmt.Sprintf("as_of=%q is no time", text), Hint: "write 2026-11-21, 2026-11-21T18:00 or 2026-11-21T18:00:00Z, all in UTC"}
}

// Is tells whether the page is about the past.
func (p past) Is() bool { return !p.At.IsZero() }

// To is the address of another page as of the same instant.
func (p past) To(address string) string {
	u, err := url.Parse(address)
	if err != nil || !p.Is() {
		return address
	}
	q := u.Query()
	q.Set("as_of", p.Text())
	u.RawQuery = q.Encode()
	return u.String()
}

// until is the first instant that is not told of any more, zero for none.
func (p past) until() time.Time {
	if !p.Is() {
		return time.Time{}
	}
	return p.At.Add(time.Millisecond) // as fine as times are stored
}

// Text is the instant as an address has it.
func (p past) Text() string { return p.At.Format(time.RFC3339) }

// Field is the instant as a field for a time takes it.
func (p past) Field() string {
	if !p.Is() {
		return ""
	}
	return p.At.Format(formTime)
}

// Keep adds the instant to the filters of a list, whose pages and filters then keep it.
func (p past) Keep(q url.Values) {
	if p.Is() {
		q.Set("as_of", p.Text())
	}
}

// moved gives the frame of a page the clock of the past: ages are counted from then, and its menu stays there.
func (p past) moved(f frame) frame {
	if p.Is() {
		f.Now, f.then = p.At, p
	}
	return f
}

// Host is the page of a host, or one below it, as of the same instant.
func (p past) Host(name string, below ...string) string {
	return p.To("/hosts/" + strings.Join(append([]string{url.PathEscape(name)}, below...), "/"))
}

// Drift is what did not pass, by a resource, a control or another choice; Standing are the hosts.
func (p past) Drift(by, value string) string {
	return p.To(link("/drift", url.Values{by: {value}}, ""))
}

// Standing lists how hosts stood with a resource, a control or a policy.
func (p past) Standing(by, value string) string {
	return p.To(link("/standing", url.Values{by: {value}}, ""))
}

// Labelled lists the hosts with a label.
func (p past) Labelled(key, value string) string {
	return p.To(link("/hosts", url.Values{"label": {key + "=" + value}}, ""))
}
