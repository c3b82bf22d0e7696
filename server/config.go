package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"plumb/server/alerts"
	"plumb/server/people"
)

// Config is what an administrator may say about a server. The zero value of each field has a
// good meaning, so a config file holds only what differs.
type Config struct {
	// Data is the one folder with everything that the server keeps.
	Data string `json:"data"`
	// Listen, AgentListen and SSHListen are the addresses of the three listeners:
	// people and enrolment (TLS), agents (mTLS), agents and Git (SSH).
	Listen      string `json:"listen"`
	AgentListen string `json:"agent_listen"`
	SSHListen   string `json:"ssh_listen"`
	// Name is the host name or address by which others reach this server; the machine's own
	// name when empty. Names are further ones for the certificate.
	Name  string   `json:"name"`
	Names []string `json:"names"`
	// DB is a PostgreSQL DSN; empty keeps an SQLite file in Data.
	DB string `json:"db"`
	// Interval is how often agents call, in seconds.
	Interval int `json:"interval"`
	// Prometheus is the address of the Prometheus that gates of rollouts ask, such as
	// http://prometheus:9090; empty for none.
	Prometheus string `json:"prometheus"`
	// Alerts says who is told when something needs a person.
	Alerts alerts.Config `json:"alerts"`
	// OIDC says where people sign in who have an account elsewhere.
	OIDC people.Config `json:"oidc"`
	// Upstream is a repository elsewhere to follow; the server then takes no push.
	Upstream Upstream `json:"upstream"`
}

// Upstream is a policy repository on a forge.
type Upstream struct {
	// URL is an absolute path, https:// or ssh://; empty for none.
	URL string `json:"url"`
	// Branch is followed; main when empty.
	Branch string `json:"branch"`
	// Poll is how often to look, in seconds.
	Poll int `json:"poll"`
	// Key is a file: a private key for SSH, a token for HTTPS.
	Key string `json:"key"`
	// KnownHosts and CA are files by which the forge is known.
	KnownHosts string `json:"known_hosts"`
	CA         string `json:"ca"`
	// WebhookSecret is a file with the secret that the forge signs its webhooks with.
	WebhookSecret string `json:"webhook_secret"`
}

// Defaults of a server.
const (
	DefaultData     = "/var/lib/plumb"
	defaultInterval = 5 * time.Minute
	defaultPoll     = time.Minute
)

// Defaults returns what holds when nothing else is said.
func Defaults() Config {
	return Config{Data: DefaultData, Listen: ":7443", AgentListen: ":7444", SSHListen: ":7022"}
}

// Load reads a config file over the defaults. A setting that it does not know is an error.
func Load(path string) (Config, error) {
	c := Defaults()
	f, err := os.Open(path)
	if err != nil {
		return c, fmt.Errorf("cannot read the config file: %w", err)
	}
	defer f.Close()
	dec := json.NewDecoder(f)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return c, fmt.Errorf("cannot read the config file %s: %w", path, err)
	}
	return c, nil
}

func (c Config) check() error {
	if c.Data == "" || c.Listen == "" || c.AgentListen == "" || c.SSHListen == "" {
		return errors.New("a server needs a data folder and three addresses to listen on")
	}
	if c.Interval < 0 || c.Interval > 24*60*60 {
		return fmt.Errorf("an interval of %d seconds is not usable: choose 1 to 86400", c.Interval)
	}
	if err := c.OIDC.Check(); err != nil {
		return err
	}
	return c.Alerts.Check()
}

func (c Config) interval() time.Duration {
	if c.Interval == 0 {
		return defaultInterval
	}
	return time.Duration(c.Interval) * time.Second
}

// name is how others reach this machine.
func (c Config) name() string {
	if c.Name != "" {
		return c.Name
	}
	if host, err := os.Hostname(); err == nil {
		return host
	}
	return "localhost"
}
