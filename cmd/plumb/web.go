package main

import (
	"os/user"

	"github.com/spf13/cobra"

	"plumb/server/api"
)

func webCommand(t *terminal) *cobra.Command {
	in := api.LinkRequest{}
	cmd := &cobra.Command{
		Use:   "web",
		Short: "Print a sign-in link for the pages; it works once and for ten minutes",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if in.Name == "" {
				in.Name = whoami()
			}
			_, err := call(cmd.Context(), t, "POST", "/v1/signin-links", in, func(l api.Link) { t.say("%s", l.URL) })
			return err
		},
	}
	cmd.Flags().StringVar(&in.Role, "role", "admin", "viewer, auditor, operator or admin")
	cmd.Flags().StringVar(&in.Name, "name", "", "whose link it is (you)")
	return cmd
}

func whoami() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "somebody"
}
