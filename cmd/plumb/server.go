package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"plumb/server"
	"plumb/server/api"
)

func serverCommand(t *terminal) *cobra.Command {
	c := server.Defaults()
	var configFile string
	var verbose bool
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run the server",
		Long: `Runs the server. The first start makes its keys and an empty policy repository in --data.

Three listeners: people and enrolment (TLS), agents (mTLS), and SSH for agents and for Git
authors. The policy repository is ssh://git@HOST:7022/policy, its main branch is main.
Settings come from --config (JSON), and flags win over it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := merged(cmd, configFile, c, t.data)
			if err != nil {
				return err
			}
			level := slog.LevelInfo
			if verbose {
				level = slog.LevelDebug
			}
			log := slog.New(slog.NewTextHandler(t.errs, &slog.HandlerOptions{Level: level}))
			return server.Run(cmd.Context(), conf, version, log, t.greet)
		},
	}
	f := cmd.Flags()
	f.StringVar(&configFile, "config", "", "a JSON file with settings")
	f.StringVar(&c.Listen, "listen", c.Listen, "address for people and enrolment")
	f.StringVar(&c.AgentListen, "agent-listen", c.AgentListen, "address for agents")
	f.StringVar(&c.SSHListen, "ssh-listen", c.SSHListen, "address for agents and authors over SSH")
	f.StringVar(&c.Name, "name", "", "host name or address by which others reach this server (the machine's name)")
	f.StringVar(&c.DB, "db", "", "PostgreSQL DSN; without it SQLite in --data")
	f.IntVar(&c.Interval, "interval", 0, "seconds between two check-ins of an agent (300)")
	f.StringVar(&c.Prometheus, "prometheus", "", "address of the Prometheus that gates of rollouts ask, such as http://prometheus:9090")
	f.StringVar(&c.Upstream.URL, "upstream", "", "policy repository elsewhere to follow: a path, https:// or ssh://")
	f.StringVar(&c.Upstream.Branch, "upstream-branch", "", "its branch (main)")
	f.IntVar(&c.Upstream.Poll, "upstream-poll", 0, "seconds between two looks at it (60)")
	f.StringVar(&c.Upstream.Key, "upstream-key", "", "file with a private key for SSH or a token for HTTPS")
	f.StringVar(&c.Upstream.WebhookSecret, "webhook-secret", "", "file with the secret of the upstream's webhooks")
	f.BoolVarP(&verbose, "verbose", "v", false, "log each request")
	return cmd
}

// merged lays the flags that were given over the config file.
func merged(cmd *cobra.Command, file string, flags server.Config, data string) (server.Config, error) {
	if file == "" {
		flags.Data = data
		return flags, nil
	}
	conf, err := server.Load(file)
	if err != nil {
		return conf, err
	}
	given := func(name string, into *string, value string) {
		if cmd.Flags().Changed(name) {
			*into = value
		}
	}
	given("data", &conf.Data, data)
	given("listen", &conf.Listen, flags.Listen)
	given("agent-listen", &conf.AgentListen, flags.AgentListen)
	given("ssh-listen", &conf.SSHListen, flags.SSHListen)
	given("name", &conf.Name, flags.Name)
	given("db", &conf.DB, flags.DB)
	given("prometheus", &conf.Prometheus, flags.Prometheus)
	given("upstream", &conf.Upstream.URL, flags.Upstream.URL)
	given("upstream-branch", &conf.Upstream.Branch, flags.Upstream.Branch)
	given("upstream-key", &conf.Upstream.Key, flags.Upstream.Key)
	given("webhook-secret", &conf.Upstream.WebhookSecret, flags.Upstream.WebhookSecret)
	if cmd.Flags().Changed("interval") {
		conf.Interval = flags.Interval
	}
	if cmd.Flags().Changed("upstream-poll") {
		conf.Upstream.Poll = flags.Upstream.Poll
	}
	return conf, nil
}

// greet tells where the doors are, once they are open.
func (t *terminal) greet(at api.Addresses) {
	t.say("plumb %s is up", version)
	t.say("people     https://%s   (`plumb web` prints a sign-in link)", at.People)
	t.say("agents     https://%s   (`plumb token create` makes a token for a host)", at.Agents)
	t.say("policy     ssh://git@%s/policy   (`plumb author add NAME KEYFILE` lets a person push)", at.SSH)
}
