package main

import (
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"plumb/server/views"
)

func hostsCommand(t *terminal) *cobra.Command {
	query := url.Values{}
	var contains, status string
	var labels []string
	var revoked bool
	cmd := &cobra.Command{
		Use:   "hosts",
		Short: "List the hosts and how each stands",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			setIf(query, "q", contains)
			setIf(query, "status", status)
			if revoked {
				query.Set("revoked", "1")
			}
			for _, l := range labels {
				query.Add("label", l)
			}
			_, err := get(cmd.Context(), t, "/v1/hosts?"+query.Encode(), t.printHosts)
			return err
		},
	}
	cmd.Flags().StringVar(&contains, "name", "", "only hosts whose name contains this")
	cmd.Flags().StringVar(&status, "status", "", "only hosts with this status")
	cmd.Flags().StringArrayVar(&labels, "label", nil, "only hosts with this label, KEY=VALUE; may be repeated")
	cmd.Flags().BoolVar(&revoked, "revoked", false, "also hosts that were revoked")
	return cmd
}

func setIf(query url.Values, key, value string) {
	if value != "" {
		query.Set(key, value)
	}
}

func (t *terminal) printHosts(hosts []views.Host) {
	if len(hosts) == 0 {
		t.say("no hosts")
		return
	}
	rows := [][]string{{"NAME", "STATUS", "SINCE", "RELEASE", "LAST SEEN", "NOTE"}}
	now := time.Now()
	for _, h := range hosts {
		rows = append(rows, []string{h.Name, views.Words(h.Status), ago(h.Since, now), releaseWord(h.Release), ago(h.LastSeen, now), h.Note()})
	}
	t.table(rows)
}

func releaseWord(n uint64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}
