package alerts

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Config says who is told of alerts. The zero value tells nobody; alerts are kept all the same.
type Config struct {
	// Settle is for how many minutes a cause has to be gone before its alert is closed; 5 when it
	// is 0. What comes back sooner is the same alert.
	Settle int `json:"settle_minutes"`
	// StormLimit is how many alerts of one kind receivers are told within a minute; 20 when it is 0.
	// What is more is told as one.
	StormLimit int `json:"storm_limit"`
	// KeepDays is for how many days alerts that are over are kept; 400 when it is 0.
	KeepDays int       `json:"keep_days"`
	Webhooks []Webhook `json:"webhooks"`
	Syslog   *Syslog   `json:"syslog"`
}

// Webhook is a receiver over HTTP.
type Webhook struct {
	// Name is for people and the log.
	Name string `json:"name"`
	// URL is where to send to. It is never shown: those of some services are as good as a password.
	URL Secret `json:"url"`
	// Secret signs (plain), or signs in: PagerDuty's routing key, the password or the token of User.
	Secret Secret `json:"secret"`
	// SecretFile is a file that has the secret.
	SecretFile string `json:"secret_file"`
	// Kind is the form: plain (when empty), slack, pagerduty, servicenow, jira or zendesk.
	Kind string `json:"kind"`
	// User is who signs in at ServiceNow, Jira (an address) and Zendesk (an address).
	User string `json:"user"`
	// Project is the key of the project at Jira, and IssueType the type there; Task when empty.
	Project   string `json:"project"`
	IssueType string `json:"issue_type"`
	// Events are the kinds of alerts to tell; all when empty.
	Events []string `json:"events"`
	// MinSeverity is the least severity to tell: low, medium, high or critical.
	MinSeverity string `json:"min_severity"`
	// AllowPrivate lets it be at a private or loopback address, and speak HTTP without TLS.
	AllowPrivate bool `json:"allow_private"`
	// CA is a file with certificates to trust beside those of the machine.
	CA string `json:"ca"`
}

// Syslog is a receiver that speaks syslog.
type Syslog struct {
	// Address is host:port.
	Address string `json:"address"`
	// Format is rfc5424 (when empty) or cef.
	Format string `json:"format"`
	// Network is udp (when empty) or tcp; TLS is over tcp.
	Network string `json:"network"`
	TLS     bool   `json:"tls"`
	// CA is a file with certificates to trust beside those of the machine.
	CA string `json:"ca"`
	// Events and MinSeverity are as those of a webhook.
	Events      []string `json:"events"`
	MinSeverity string   `json:"min_severity"`
}

// SyslogName is how the syslog receiver is called.
const SyslogName = "syslog"

// Secret is text that is never shown or logged.
type Secret string

const hidden = "(secret)"

// String hides the text from %v and its like.
func (Secret) String() string { return hidden }

// GoString hides it from %#v.
func (Secret) GoString() string { return hidden }

// LogValue hides it from logs.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides it from JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

const (
	standardSettle = 5 * time.Minute
	standardStorm  = 20
	standardKeep   = 400
)

func (c Config) stormLimit() int { return cmp.Or(c.StormLimit, standardStorm) }

func (c Config) keep() time.Duration {
	return time.Duration(cmp.Or(c.KeepDays, standardKeep)) * 24 * time.Hour
}

func (c Config) settle() time.Duration {
	if c.Settle == 0 {
		return standardSettle
	}
	return time.Duration(c.Settle) * time.Minute
}

// Check tells what is wrong with the settings, without repeating a secret.
func (c Config) Check() error {
	if c.Settle < 0 || c.Settle > 24*60 {
		return fmt.Errorf("alerts: settle_minutes %d is not usable: choose 1 to 1440", c.Settle)
	}
	if c.StormLimit < 0 || c.StormLimit > 10_000 {
		return fmt.Errorf("alerts: storm_limit %d is not usable: choose 1 to 10000", c.StormLimit)
	}
	if c.KeepDays < 0 || c.KeepDays > 10_000 {
		return fmt.Errorf("alerts: keep_days %d is not usable: choose 1 to 10000", c.KeepDays)
	}
	names := map[string]bool{SyslogName: true}
	for _, w := range c.Webhooks {
		if names[w.Name] {
			return fmt.Errorf("alerts: two receivers are called %q", w.Name)
		}
		names[w.Name] = true
		if err := w.check(); err != nil {
			return fmt.Errorf("alerts: webhook %q: %w", w.Name, err)
		}
	}
	if c.Syslog == nil {
		return nil
	}
	if err := c.Syslog.check(); err != nil {
		return fmt.Errorf("alerts: syslog: %w", err)
	}
	return nil
}

var properName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)

func (w Webhook) check() error {
	if !properName.MatchString(w.Name) {
		return errors.New("a name has 1 to 40 small letters, digits, _ and -")
	}
	if _, ok := forms()[w.kind()]; !ok {
		return fmt.Errorf("kind %q is not known: plain, slack, pagerduty, servicenow, jira or zendesk", w.Kind)
	}
	if err := w.checkURL(); err != nil {
		return err
	}
	if w.Secret != "" && w.SecretFile != "" {
		return errors.New("give secret or secret_file, not both")
	}
	if w.kind() != "slack" && w.Secret == "" && w.SecretFile == "" {
		return errors.New("it needs a secret")
	}
	signsIn := w.kind() == "servicenow" || w.kind() == "jira" || w.kind() == "zendesk"
	if signsIn && w.User == "" {
		return errors.New("it needs a user")
	}
	if w.kind() == "jira" && w.Project == "" {
		return errors.New("it needs a project")
	}
	return checkChoice(w.Events, w.MinSeverity)
}

func (w Webhook) checkURL() error {
	u, err := url.Parse(string(w.URL))
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return errors.New("the url looks like https://host/path") // what it is may be a secret
	case u.Scheme == "https", u.Scheme == "http" && w.AllowPrivate:
		return nil
	}
	return errors.New("the url must be https:// (or http:// with allow_private)")
}

func (s Syslog) check() error {
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil || host == "" || port == "" {
		return fmt.Errorf("the address %q is not host:port", s.Address)
	}
	if !slices.Contains([]string{"", "rfc5424", "cef"}, s.Format) {
		return fmt.Errorf("format %q is not known: rfc5424 or cef", s.Format)
	}
	if !slices.Contains([]string{"", "udp", "tcp"}, s.Network) {
		return fmt.Errorf("network %q is not known: udp or tcp", s.Network)
	}
	if s.TLS && s.Network == "udp" {
		return errors.New("tls is over tcp, not udp")
	}
	return checkChoice(s.Events, s.MinSeverity)
}

func checkChoice(events []string, least string) error {
	for _, kind := range events {
		if !slices.Contains(Kinds(), kind) {
			return fmt.Errorf("the event %q is not known: %s", kind, strings.Join(Kinds(), ", "))
		}
	}
	if least != "" && !slices.Contains(severities(), least) {
		return fmt.Errorf("min_severity %q is not known: %s", least, strings.Join(severities(), ", "))
	}
	return nil
}

func (w Webhook) kind() string {
	if w.Kind == "" {
		return "plain"
	}
	return w.Kind
}

// load reads the secret from its file.
func (w Webhook) load() (Webhook, error) {
	if w.SecretFile == "" {
		return w, nil
	}
	raw, err := os.ReadFile(w.SecretFile)
	if err != nil {
		return w, fmt.Errorf("cannot read the secret of webhook %s: %w", w.Name, err)
	}
	if w.Secret = Secret(strings.TrimSpace(string(raw))); w.Secret == "" {
		return w, fmt.Errorf("the secret of webhook %s is empty", w.Name)
	}
	return w, nil
}
