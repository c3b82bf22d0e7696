package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plumb/agent/protocol"
	"plumb/server/release"
	"plumb/server/repo"
	"plumb/server/views"
)

func releaseCommand(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "release",
		Short: "Signed releases: make, list, show",
		Long: `A release is a commit that a signed tag release/N lets run. In trial mode the server signs
each good commit on main by itself. Once a released commit holds .plumb/allowed_signers,
only people in it can: "plumb release create" in a clone of the policy repository.`,
	}
	cmd.AddCommand(releaseCreate(t), releaseList(t), releaseShow(t))
	return cmd
}

func releaseCreate(t *terminal) *cobra.Command {
	var ref, remote, key string
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Sign a commit as the next release, and push the tag",
		Long: `Run it in your clone. It takes the next free number, signs the tag release/N with your SSH
key (Git's user.signingKey, or --key) and pushes it; the server refuses it unless your key is
among the signers of the release before.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			g := author{ctx: cmd.Context(), key: key, errs: t.errs}
			last, err := g.newest(remote)
			if err != nil {
				return err
			}
			r, message, err := release.Prepare(cmd.Context(), ".", ref, last, time.Now())
			if err != nil {
				return err
			}
			if err := g.signAndPush(remote, r, message); err != nil {
				return err
			}
			made := map[string]any{"number": r.Number, "commit": r.Commit, "bundle": r.Bundle}
			return t.show(made, func() { t.say("release %d of commit %s is signed and pushed", r.Number, views.Short(r.Commit)) })
		},
	}
	cmd.Flags().StringVar(&ref, "ref", "main", "the commit to release")
	cmd.Flags().StringVar(&remote, "remote", "origin", "where to push the tag")
	cmd.Flags().StringVar(&key, "key", "", "SSH key to sign with, instead of Git's user.signingKey")
	return cmd
}

// author runs stock git in the author's clone, with the author's own settings.
type author struct {
	ctx  context.Context
	key  string
	errs interface{ Write([]byte) (int, error) }
}

func (a author) git(stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(a.ctx, "git", args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, a.errs
	cmd.Env = os.Environ()
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return out.String(), nil
}

// newest is the number of the newest release that the remote has.
func (a author) newest(remote string) (uint64, error) {
	out, err := a.git("", "ls-remote", "--tags", "--refs", remote, "refs/tags/release/*")
	if err != nil {
		return 0, hinted{err, "run it in a clone of the policy repository"}
	}
	var newest uint64
	for line := range strings.Lines(out) {
		_, ref, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if n, ok := repo.ReleaseNumber(ref); ok {
			newest = max(newest, n)
		}
	}
	return newest, nil
}

func (a author) signAndPush(remote string, r protocol.Release, message string) error {
	tag := protocol.TagName(r.Number)
	args := []string{"-c", "gpg.format=ssh"}
	if a.key != "" {
		args = append(args, "-c", "user.signingKey="+a.key)
	}
	args = append(args, "tag", "-s", "--cleanup=verbatim", "-F", "-", tag, r.Commit)
	if _, err := a.git(message, args...); err != nil {
		return hinted{err, "name your SSH key with --key ~/.ssh/id_ed25519, or set Git's user.signingKey"}
	}
	if _, err := a.git("", "push", remote, "refs/tags/"+tag); err != nil {
		_, undo := a.git("", "tag", "-d", tag)
		return errors.Join(fmt.Errorf("the server did not take release %d: %w", r.Number, err), undo)
	}
	return nil
}

func releaseList(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List releases, the newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := get(cmd.Context(), t, "/v1/releases", t.printReleases)
			return err
		},
	}
}

func (t *terminal) printReleases(releases []views.Release) {
	if len(releases) == 0 {
		t.say("no release yet")
		return
	}
	rows := [][]string{{"RELEASE", "MADE (UTC)", "COMMIT", "SIGNED BY", "SUBJECT"}}
	for _, r := range releases {
		rows = append(rows, []string{fmt.Sprint(r.Number), r.Made.Format("2006-01-02 15:04:05"), views.Short(r.Commit), r.Signer, r.Subject})
	}
	t.table(rows)
}

func releaseShow(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "show N",
		Short: "Show one release",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := get(cmd.Context(), t, "/v1/releases/"+args[0], t.printRelease)
			return err
		},
	}
}

func (t *terminal) printRelease(r views.Release) {
	t.say("release %d: %s", r.Number, r.Subject)
	t.say("commit      %s by %s", r.Commit, r.Author)
	t.say("bundle      sha256:%s, %d bytes", r.Bundle, r.Size)
	t.say("signed by   %s with %s", r.Signer, r.Key)
	t.say("rolls back  to release %d at the most", r.RollbackTo)
	if r.Trial {
		t.say("TRIAL: this server's own key signed it, nobody else had to agree")
	}
}
