package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumb/server/api"
	"plumb/server/views"
)

func tokenCommand(t *terminal) *cobra.Command {
	cmd := &cobra.Command{Use: "token", Short: "Tokens by which hosts enrol and people use the API"}
	cmd.AddCommand(tokenCreate(t), tokenList(t), tokenRevoke(t))
	return cmd
}

func tokenCreate(t *terminal) *cobra.Command {
	var in api.TokenRequest
	var ttl time.Duration
	var labels []string
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a token; it is shown this once",
		Long: `Makes a token for one host: run "plumb-agent enroll TOKEN" there. It is used once and
lives for an hour. With --role it makes an API token for a person instead.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if in.Labels, err = pairs(labels); err != nil {
				return err
			}
			in.TTL = int64(ttl / time.Second)
			_, err = call(cmd.Context(), t, "POST", "/v1/tokens", in, func(made api.TokenMade) { t.say("%s", made.Secret) })
			return err
		},
	}
	cmd.Flags().StringVar(&in.Name, "name", "", "the only name that a host may enrol under, or the person's name")
	cmd.Flags().StringVar(&in.Role, "role", "", "make an API token: viewer, auditor, operator or admin")
	cmd.Flags().DurationVar(&ttl, "ttl", 0, "how long it is good for (1h for hosts, 720h for people)")
	cmd.Flags().StringArrayVar(&labels, "label", nil, "a label of the host, KEY=VALUE; may be repeated")
	return cmd
}

func pairs(labels []string) (map[string]string, error) {
	out := map[string]string{}
	for _, l := range labels {
		key, value, ok := strings.Cut(l, "=")
		if !ok {
			return nil, hinted{fmt.Errorf("the label %q has no =", l), "write --label role=web"}
		}
		out[key] = value
	}
	return out, nil
}

func tokenList(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List tokens, without their secrets",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := get(cmd.Context(), t, "/v1/tokens", t.printTokens)
			return err
		},
	}
}

func (t *terminal) printTokens(tokens []views.Token) {
	if len(tokens) == 0 {
		t.say("no tokens")
		return
	}
	rows := [][]string{{"ID", "FOR", "NAME", "STATE", "EXPIRES (UTC)", "MADE BY"}}
	for _, one := range tokens {
		purpose, expires := "a host", "never"
		if one.Role != "" {
			purpose = one.Role
		}
		if one.Expires != nil {
			expires = one.Expires.Format("2006-01-02 15:04")
		}
		rows = append(rows, []string{one.ID, purpose, dash(one.Name), one.State, expires, one.CreatedBy})
	}
	t.table(rows)
}

func tokenRevoke(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "Make a token useless",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := call(cmd.Context(), t, "POST", "/v1/tokens/"+url.PathEscape(args[0])+"/revoke", struct{}{}, func(struct{}) {
				t.say("token %s is revoked", args[0])
			})
			return err
		},
	}
}
