package main

import (
	"fmt"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"plumb/server/api"
	"plumb/server/views"
)

func authorCommand(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "author",
		Short: "Who may push to the policy repository",
		Long: `Authors push to ssh://git@HOST:7022/policy with their SSH key. Who may sign releases is
said in the repository itself, in .plumb/allowed_signers: once a released commit has that
file, only keys in it can release anything.`,
	}
	cmd.AddCommand(authorAdd(t), authorList(t), authorRemove(t))
	return cmd
}

func authorAdd(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "add NAME KEYFILE",
		Short: "Let a person push, by their SSH public key",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := os.ReadFile(args[1])
			if err != nil {
				return fmt.Errorf("cannot read the key: %w", err)
			}
			in := api.AuthorRequest{Name: args[0], Key: string(key)}
			_, err = call(cmd.Context(), t, "POST", "/v1/authors", in, func(a views.Author) {
				t.say("%s may push with the key %s", a.Name, a.Fingerprint)
			})
			return err
		},
	}
}

func authorList(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List authors and their keys",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := get(cmd.Context(), t, "/v1/authors", t.printAuthors)
			return err
		},
	}
}

func (t *terminal) printAuthors(authors []views.Author) {
	if len(authors) == 0 {
		t.say("no authors yet: `plumb author add NAME ~/.ssh/id_ed25519.pub`")
		return
	}
	rows := [][]string{{"NAME", "KEY", "ADDED (UTC)", "BY"}}
	for _, a := range authors {
		rows = append(rows, []string{a.Name, a.Fingerprint, a.Added.Format("2006-01-02 15:04"), a.AddedBy})
	}
	t.table(rows)
}

func authorRemove(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Take a person's right to push away",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := call(cmd.Context(), t, "POST", "/v1/authors/"+url.PathEscape(args[0])+"/remove", struct{}{}, func(struct{}) {
				t.say("%s may not push any more", args[0])
			})
			return err
		},
	}
}
