package alerts

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// published is what a service publishes of one field: how long it may be, in characters, or which
// words it may be; a field that is not required may be left out.
type published struct {
	max      int
	words    []string
	form     *regexp.Regexp
	required bool
}

var (
	oneLine = regexp.MustCompile(`^[^\r\n]+$`)
	label   = regexp.MustCompile(`^[^\s]+$`)
)

// limits are the fields of each service, as published in November 2026: PagerDuty's Events API v2,
// ServiceNow's table incident, Jira's REST API 2, Zendesk's tickets, Slack's incoming webhooks. No
// other fields are sent.
func limits() map[string]map[string]published {
	one := []string{"1", "2", "3"}
	return map[string]map[string]published{
		"slack": {"text": {max: 4000, required: true}},
		"pagerduty": {
			"routing_key": {max: 32, required: true}, "dedup_key": {max: 255, required: true},
			"event_action": {words: []string{"trigger", "acknowledge", "resolve"}, required: true}, "client": {max: 1024},
			"payload.summary": {max: 1024, form: oneLine}, "payload.source": {max: 1024, form: oneLine},
			"payload.severity": {words: []string{"critical", "error", "warning", "info"}}, "payload.timestamp": {max: 40},
			"payload.component": {max: 1024}, "payload.class": {max: 1024}, "payload.custom_details.detail": {max: 65536},
		},
		"servicenow": {
			"short_description": {max: 160, form: oneLine}, "description": {max: 4000}, "urgency": {words: one}, "impact": {words: one},
			"correlation_id": {max: 100}, "correlation_display": {max: 100},
			"state": {words: []string{"6"}}, "close_code": {max: 40}, "close_notes": {max: 4000},
		},
		"jira": {
			"fields.project.key": {max: 10}, "fields.issuetype.name": {max: 60}, "fields.summary": {max: 255, form: oneLine},
			"fields.description": {max: 32767}, "fields.labels": {max: 255, form: label}, "body": {max: 32767},
		},
		"zendesk": {
			"ticket.subject": {max: 255, form: oneLine}, "ticket.comment.body": {max: 65536, required: true}, "ticket.comment.public": {max: 5},
			"ticket.priority": {words: []string{"urgent", "high", "normal", "low"}}, "ticket.external_id": {max: 255},
			"ticket.tags": {max: 255, form: label}, "ticket.status": {words: []string{"solved"}},
		},
	}
}

// flat lists the fields of JSON by their path; entries of a list have the path of the list.
func flat(path string, value any, into map[string][]string) {
	switch value := value.(type) {
	case map[string]any:
		for key, one := range value {
			flat(strings.TrimPrefix(path+"."+key, "."), one, into)
		}
	case []any:
		for _, one := range value {
			flat(path, one, into)
		}
	case string:
		into[path] = append(into[path], value)
	default:
		text, _ := json.Marshal(value)
		into[path] = append(into[path], string(text))
	}
}

// keeps holds what one service is sent against what it publishes.
func keeps(t *testing.T, kind string, m Message) {
	t.Helper()
	w := Webhook{Name: "ops", Kind: kind, URL: "https://receiver.example/", Secret: Secret(strings.Repeat("k", 32)), User: "ada@example.org", Project: "OPS"}
	r, ok := forms()[kind].write(w, m, noon)
	if !ok {
		return
	}
	var body any
	if err := json.Unmarshal(r.body, &body); err != nil || len(r.body) > 512<<10 {
		t.Fatalf("%s: %v, %d bytes", m.What, err, len(r.body))
	}
	fields, known := map[string][]string{}, limits()[kind]
	flat("", body, fields)
	for path, values := range fields {
		limit, ok := known[path]
		if !ok {
			t.Errorf("%s: %s is no field of it", m.What, path)
		}
		for _, value := range values {
			if limit.max > 0 && utf8.RuneCountInString(value) > limit.max {
				t.Errorf("%s: %s has %d characters, %d is the most", m.What, path, utf8.RuneCountInString(value), limit.max)
			}
			if limit.words != nil && !slices.Contains(limit.words, value) || limit.form != nil && !limit.form.MatchString(value) {
				t.Errorf("%s: %s cannot be %q", m.What, path, value)
			}
		}
	}
	for path, limit := range known {
		if limit.required && len(fields[path]) == 0 {
			t.Errorf("%s: %s is missing", m.What, path)
		}
	}
}

// TestFormsKeepLimits sends the longest and strangest alerts that there can be.
func TestFormsKeepLimits(t *testing.T) {
	subjects := map[string]string{"long": strings.Repeat("w", 5000), "wide": strings.Repeat("ß☃", 3000), "escaped": strings.Repeat("<&>\"\\", 1000), "lines": "a\r\nb\x1b[31m\u2028c", "plain": "web1"}
	for kind := range limits() {
		for name, subject := range subjects {
			t.Run(kind+" "+name, func(t *testing.T) {
				for _, alert := range Kinds() {
					for _, severity := range severities() {
						for _, what := range []string{Opened, Closed, Test} {
							keeps(t, kind, longest(alert, severity, what, subject))
						}
					}
				}
			})
		}
	}
}

// longest is a message of an alert as look makes it.
func longest(kind, severity, what, subject string) Message {
	m := Message{Version: 1, ID: strings.Repeat("a", 32), Incident: strings.Repeat("b", 32), What: what, Server: "plumb.example",
		Alert: Alert{ID: 7, Kind: kind, Subject: clip(subject, maxTitle), Severity: severity, Detail: clip(subject, maxDetail), Opened: noon}}
	if what == Closed {
		m.Alert.Closed, m.ref = noon.Add(time.Hour), "INC-42"
	}
	return m
}
