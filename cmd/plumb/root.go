package main

import (
	"github.com/spf13/cobra"
)

// DefaultData is where a server keeps everything unless --data says otherwise.
const defaultData = "/var/lib/plumb"

func newRoot(t *terminal) *cobra.Command {
	root := &cobra.Command{
		Use:   "plumb",
		Short: "Patch and configuration management from Git, with pull agents",
		Long: `Plumb keeps a fleet of Linux hosts true to policies that live in Git.

The command line finds its server by the unix socket in --data, which is the
administrator's way in, or over the network by PLUMB_ADDR (host:port), PLUMB_TOKEN
(made with "plumb token create --role ...") and PLUMB_CACERT (the server's ca.pem).

Exit codes: 0 fine, 1 could not, 2 differs from what is wanted.`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&t.data, "data", defaultData, "the server's data folder")
	root.PersistentFlags().BoolVar(&t.json, "json", false, "print JSON")
	root.AddCommand(
		initCommand(t), validateCommand(t), fmtCommand(t),
		serverCommand(t), tokenCommand(t), accountCommand(t), authorCommand(t), revokeCommand(t),
		statusCommand(t), hostsCommand(t), hostCommand(t), explainCommand(t), driftCommand(t),
		changesCommand(t), changeCommand(t), releaseCommand(t), rolloutCommand(t), freezeCommand(t), unfreezeCommand(t),
		windowCommand(t), waiverCommand(t), patchCommand(t), kpiCommand(t), alertCommand(t), webCommand(t), versionCommand(t),
	)
	return root
}
