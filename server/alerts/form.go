package alerts

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// request is what is sent in one attempt.
type request struct {
	method, url string
	header      http.Header
	body        []byte
}

// form turns a message into what one service understands.
type form struct {
	// write returns what to send; false means that there is nothing to tell.
	write func(Webhook, Message, time.Time) (request, bool)
	// ref names the place in the answer that tells what the ticket is called.
	ref []string
}

func forms() map[string]form {
	return map[string]form{
		"plain":      {write: plain},
		"slack":      {write: slack},
		"pagerduty":  {write: pagerDuty},
		"servicenow": {write: serviceNow, ref: []string{"result", "sys_id"}},
		"jira":       {write: jira, ref: []string{"key"}},
		"zendesk":    {write: zendesk, ref: []string{"ticket", "id"}},
	}
}

// post is a POST of JSON.
func post(to string, value any) request {
	return send(http.MethodPost, to, value)
}

func send(method, to string, value any) request {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		panic(err) // strings, numbers and times always encode
	}
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}, "User-Agent": {"plumb"}}
	return request{method: method, url: to, header: header, body: bytes.TrimSpace(body.Bytes())}
}

// as adds who signs in.
func (r request) as(user string, secret Secret) request {
	r.header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+string(secret))))
	return r
}

// plain is the message itself, signed.
func plain(w Webhook, m Message, now time.Time) (request, bool) {
	r := post(string(w.URL), m)
	r.header.Set(SignatureHeader, sign(w.Secret, r.body, now))
	return r, true
}

// slack is a message in the form of an incoming webhook.
func slack(w Webhook, m Message, _ time.Time) (request, bool) {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	text := ":" + map[string]string{Opened: "warning", Closed: "white_check_mark", Test: "wave"}[m.What] + ": " + escape.Replace(m.title()) +
		" (" + m.Alert.Severity + ")"
	if m.Alert.Detail != "" {
		text += "\n" + escape.Replace(m.Alert.Detail)
	}
	return post(string(w.URL), map[string]any{"text": text}), true
}

// pagerDuty is an event of the Events API v2.
func pagerDuty(w Webhook, m Message, _ time.Time) (request, bool) {
	event := map[string]any{"routing_key": string(w.Secret), "dedup_key": m.Incident, "event_action": "trigger"}
	if m.What == Closed {
		event["event_action"] = "resolve"
		return post(string(w.URL), event), true
	}
	severity := map[string]string{"low": "info", "medium": "warning", "high": "error", "critical": "critical"}[m.Alert.Severity]
	event["client"] = "Plumb"
	event["payload"] = map[string]any{
		"summary": m.title(), "source": m.Alert.Subject, "severity": severity, "timestamp": m.Alert.Opened.UTC().Format(time.RFC3339),
		"component": m.Server, "class": m.Alert.Kind, "custom_details": map[string]string{"detail": m.Alert.Detail},
	}
	return post(string(w.URL), event), true
}

// maxShort is how long ServiceNow's short description may be; it cuts off the rest without a word.
const maxShort = 160

// serviceNow makes a row of the incident table, and resolves it. URL is the instance's.
func serviceNow(w Webhook, m Message, _ time.Time) (request, bool) {
	table := base(w.URL) + "/api/now/table/incident"
	if m.What == Closed {
		return send(http.MethodPatch, table+"/"+url.PathEscape(m.ref), map[string]string{
			"state": "6", "close_code": "Resolved by caller", "close_notes": m.title(),
		}).as(w.User, w.Secret), m.ref != ""
	}
	urgency := map[string]string{"low": "3", "medium": "2", "high": "2", "critical": "1"}[m.Alert.Severity]
	return post(table, map[string]string{
		"short_description": clip(m.title(), maxShort), "description": m.body(), "urgency": urgency, "impact": urgency,
		"correlation_id": m.Incident, "correlation_display": "Plumb",
	}).as(w.User, w.Secret), true
}

// jira makes an issue, and comments on it when it is over: how it is closed is each project's own.
func jira(w Webhook, m Message, _ time.Time) (request, bool) {
	issues := base(w.URL) + "/rest/api/2/issue"
	if m.What == Closed {
		return post(issues+"/"+url.PathEscape(m.ref)+"/comment", map[string]string{"body": m.title()}).as(w.User, w.Secret), m.ref != ""
	}
	kind := w.IssueType
	if kind == "" {
		kind = "Task"
	}
	return post(issues, map[string]any{"fields": map[string]any{
		"project": map[string]string{"key": w.Project}, "issuetype": map[string]string{"name": kind},
		"summary": m.title(), "description": "{noformat}" + strings.ReplaceAll(m.body(), "{noformat}", "(noformat)") + "{noformat}",
		"labels": []string{"plumb", "plumb-" + m.Alert.Kind},
	}}).as(w.User, w.Secret), true
}

// zendesk makes a ticket, and solves it.
func zendesk(w Webhook, m Message, _ time.Time) (request, bool) {
	tickets := base(w.URL) + "/api/v2/tickets"
	comment := map[string]any{"body": m.body(), "public": false}
	if m.What == Closed {
		return send(http.MethodPut, tickets+"/"+url.PathEscape(m.ref)+".json", map[string]any{"ticket": map[string]any{
			"status": "solved", "comment": comment,
		}}).as(w.User+"/token", w.Secret), m.ref != ""
	}
	priority := map[string]string{"low": "low", "medium": "normal", "high": "high", "critical": "urgent"}[m.Alert.Severity]
	return post(tickets+".json", map[string]any{"ticket": map[string]any{
		"subject": m.title(), "comment": comment, "priority": priority, "external_id": m.Incident, "tags": []string{"plumb", m.Alert.Kind},
	}}).as(w.User+"/token", w.Secret), true
}

func base(u Secret) string { return strings.TrimRight(string(u), "/") }

// body is the message in some lines.
func (m Message) body() string {
	lines := []string{m.title(), "Severity: " + m.Alert.Severity, "Since: " + m.Alert.Opened.UTC().Format(time.RFC3339)}
	if m.Alert.Detail != "" {
		lines = append(lines, "Detail: "+m.Alert.Detail)
	}
	return strings.Join(append(lines, "Server: "+m.Server), "\n")
}

var properRef = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// read returns what the receiver calls the ticket; what does not look like a name of one is none.
func (f form) read(answer []byte) string {
	if f.ref == nil {
		return ""
	}
	dec := json.NewDecoder(bytes.NewReader(answer))
	dec.UseNumber()
	var value any
	if dec.Decode(&value) != nil {
		return ""
	}
	for _, key := range f.ref {
		object, _ := value.(map[string]any)
		value = object[key]
	}
	text, _ := value.(string)
	if number, ok := value.(json.Number); ok {
		text = number.String()
	}
	if !properRef.MatchString(text) {
		return ""
	}
	return text
}
