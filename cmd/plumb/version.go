package main

import (
	"runtime"

	"github.com/spf13/cobra"
)

// version is set by the Makefile.
var version = "0.1.0-dev"

func versionCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			about := map[string]string{"version": version, "go": runtime.Version()}
			return t.show(about, func() { t.say("plumb %s (%s)", version, about["go"]) })
		},
	}
}
