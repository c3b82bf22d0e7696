package alerts

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"
)

// Facility and severities of RFC 5424.
const facility = 16 // local0

func level(severity string) int {
	return map[string]int{"critical": 2, "high": 3, "medium": 4, "low": 5}[severity]
}

// syslogLine is a message in the form of RFC 5424: one line, whatever the message holds.
func syslogLine(m Message, format string, now time.Time) string {
	head := fmt.Sprintf("<%d>1 %s %s plumb - %s ", facility*8+level(m.Alert.Severity), now.UTC().Format("2006-01-02T15:04:05.000Z"),
		word(m.Server, 255), word(m.Alert.Kind, 32))
	if format == "cef" {
		return head + "- " + cef(m)
	}
	fields := []string{"id", m.ID, "incident", m.Incident, "what", m.What, "kind", m.Alert.Kind, "subject", m.Alert.Subject,
		"severity", m.Alert.Severity, "opened", m.Alert.Opened.UTC().Format(time.RFC3339)}
	var data strings.Builder
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`)
	for i := 0; i < len(fields); i += 2 {
		fmt.Fprintf(&data, ` %s="%s"`, fields[i], escape.Replace(line(fields[i+1])))
	}
	text := m.title()
	if m.Alert.Detail != "" {
		text += ": " + clip(m.Alert.Detail, maxDetail)
	}
	// 32473 is the number that is kept for examples; Plumb has none of its own.
	return head + "[plumb@32473" + data.String() + "] " + text
}

// word is text as a field of the head has to be: visible ASCII without blanks, "-" for nothing.
func word(text string, max int) string {
	text = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, text)
	if text == "" {
		return "-"
	}
	return text[:min(len(text), max)]
}

// cef is a message in ArcSight's Common Event Format, version 0.
func cef(m Message) string {
	head := strings.NewReplacer(`\`, `\\`, `|`, `\|`)
	value := strings.NewReplacer(`\`, `\\`, `=`, `\=`)
	severity := map[string]string{"low": "3", "medium": "5", "high": "8", "critical": "10"}[m.Alert.Severity]
	var out strings.Builder
	out.WriteString("CEF:0|Plumb|Plumb|1")
	for _, field := range []string{m.Alert.Kind + "." + m.What, m.title(), severity} {
		out.WriteString("|" + head.Replace(line(field)))
	}
	out.WriteString("|")
	ended := "-"
	if !m.Alert.Closed.IsZero() {
		ended = fmt.Sprint(m.Alert.Closed.UnixMilli())
	}
	fields := []string{"rt", fmt.Sprint(m.Alert.Opened.UnixMilli()), "externalId", m.ID, "cat", m.Alert.Kind, "act", m.What, "dvchost", m.Server,
		"cs1Label", "subject", "cs1", m.Alert.Subject, "cs2Label", "incident", "cs2", m.Incident, "end", ended, "msg", clip(m.Alert.Detail, maxDetail)}
	var pairs []string
	for i := 0; i < len(fields); i += 2 {
		if text := line(fields[i+1]); text != "" && text != "-" {
			pairs = append(pairs, fields[i]+"="+value.Replace(text))
		}
	}
	out.WriteString(strings.Join(pairs, " "))
	return out.String()
}

// speaker sends lines to a syslog receiver.
type speaker struct {
	conf Syslog
	tls  *tls.Config // nil without TLS
}

func newSpeaker(c Syslog) (*speaker, error) {
	s := &speaker{conf: c}
	if !c.TLS {
		return s, nil
	}
	roots, err := trusted(c.CA)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(c.Address)
	s.tls = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: host}
	return s, nil
}

// tell sends one message. Over TCP each has its length before it (RFC 6587), so that nothing in a
// message can end it. Syslog has no answer: what was written counts as told.
func (s *speaker) tell(ctx context.Context, m Message, now time.Time) (ref string, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	conn, err := s.dial(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(attemptTime)); err != nil {
		return "", err
	}
	text := syslogLine(m, s.conf.Format, now)
	if s.stream() {
		text = fmt.Sprintf("%d %s", len(text), text)
	}
	_, err = conn.Write([]byte(text))
	return "", err
}

func (s *speaker) stream() bool { return s.conf.TLS || s.conf.Network == "tcp" }

func (s *speaker) dial(ctx context.Context) (net.Conn, error) {
	switch {
	case s.tls != nil:
		return (&tls.Dialer{Config: s.tls}).DialContext(ctx, "tcp", s.conf.Address)
	case s.stream():
		return (&net.Dialer{}).DialContext(ctx, "tcp", s.conf.Address)
	}
	return (&net.Dialer{}).DialContext(ctx, "udp", s.conf.Address)
}
