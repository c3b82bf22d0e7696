package main

import (
	"net/url"

	"github.com/spf13/cobra"
)

func revokeCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke HOST",
		Short: "Shut a host out: its very next request is refused",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := call(cmd.Context(), t, "POST", "/v1/hosts/"+url.PathEscape(args[0])+"/revoke", struct{}{}, func(struct{}) {
				t.say("%s is revoked; it comes back only with a new token", args[0])
			})
			return err
		},
	}
}
