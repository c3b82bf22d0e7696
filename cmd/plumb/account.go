package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumb/server/api"
	"plumb/server/views"
)

func accountCommand(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "account",
		Short: "Who may sign in to the pages by themselves",
		Long: `Accounts of this server, whose people sign in with a password, and those of people who came
through the OpenID provider in the server's settings. A new account has no password: its
person sets one by the link that is printed, so that nobody else ever knows it.

Roles: viewer reads, auditor reads evidence as well, operator acts on hosts, admin hands out
access. A session keeps the role that its person had when they signed in; it ends when the
account is disabled or removed, or its role or its password changes.`,
	}
	cmd.AddCommand(accountAdd(t), accountList(t), accountPasswd(t), accountRole(t),
		accountAct(t, "disable", "Keep a person out, at once", "%s cannot sign in any more; every session has ended"),
		accountAct(t, "enable", "Let a person in again", "%s may sign in again"),
		accountAct(t, "remove", "Remove an account", "the account %s is removed; every session has ended"))
	return cmd
}

func accountAdd(t *terminal) *cobra.Command {
	var in api.AccountRequest
	var file string
	cmd := &cobra.Command{
		Use:   "add NAME --role ROLE",
		Short: "Make an account, and a link by which its person sets a password",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Name = args[0]
			return t.changeAccount(cmd.Context(), "/v1/accounts", in, file)
		},
	}
	cmd.Flags().StringVar(&in.Role, "role", "", "viewer, auditor, operator or admin")
	passwordFlag(cmd, &file)
	return cmd
}

func passwordFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "password-file", "", "take the password from the first line of a file (- for standard input) and make no link")
}

func accountPasswd(t *terminal) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "passwd NAME",
		Short: "Make a link by which a person sets a new password",
		Long: `Makes a link by which a person sets a new password. The old one works until then; "plumb account
disable" keeps a person out at once.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.changeAccount(cmd.Context(), accountPath(args[0], "password"), api.AccountRequest{Name: args[0]}, file)
		},
	}
	passwordFlag(cmd, &file)
	return cmd
}

func accountPath(name, act string) string {
	return "/v1/accounts/" + url.PathEscape(name) + "/" + act
}

// changeAccount sends what there is to do with an account and shows what it has become.
func (t *terminal) changeAccount(ctx context.Context, path string, in api.AccountRequest, file string) (err error) {
	if in.Password, err = t.password(file); err != nil {
		return err
	}
	_, err = call(ctx, t, "POST", path, in, t.printMade)
	return err
}

func (t *terminal) printMade(made api.AccountMade) {
	if made.Link == nil {
		t.say("%s has a password and the role %s", made.Account.Name, made.Account.Role)
		return
	}
	t.note("%s (%s) sets a password by this link, once and until %s:", made.Account.Name, made.Account.Role, made.Link.Expires.Format("2006-01-02 15:04 MST"))
	t.say("%s", made.Link.URL)
}

// mostPassword is more than a password may have, in bytes.
const mostPassword = 4096

// password reads the first line of a file.
func (t *terminal) password(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	in := t.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("cannot read the password: %w", err)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, mostPassword))
	if err != nil {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", hinted{fmt.Errorf("there is no password in %s", file), "write it into the first line, or leave --password-file out to get a link"}
	}
	return line, nil
}

func accountList(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List accounts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := get(cmd.Context(), t, "/v1/accounts", t.printAccounts)
			return err
		},
	}
}

func (t *terminal) printAccounts(accounts []views.Account) {
	if len(accounts) == 0 {
		t.say("no accounts yet: `plumb account add NAME --role viewer`")
		return
	}
	rows, now := [][]string{{"NAME", "ROLE", "STATE", "SIGNED IN", "BY"}}, time.Now()
	for _, a := range accounts {
		by := "password"
		if a.Issuer != "" {
			by = a.Issuer
		}
		rows = append(rows, []string{a.Name, a.Role, a.State, ago(a.SignedIn, now), by})
	}
	t.table(rows)
}

func accountRole(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "role NAME ROLE",
		Short: "Give an account another role; its sessions end",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := call(cmd.Context(), t, "POST", accountPath(args[0], "role"), api.AccountRequest{Role: args[1]}, func(struct{}) {
				t.say("%s has the role %s from the next sign-in on; every session has ended", args[0], args[1])
			})
			return err
		},
	}
}

// accountAct is a command that does one thing to an account.
func accountAct(t *terminal, act, short, said string) *cobra.Command {
	return &cobra.Command{
		Use:   act + " NAME",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := call(cmd.Context(), t, "POST", accountPath(args[0], act), struct{}{}, func(struct{}) { t.say(said, args[0]) })
			return err
		},
	}
}
