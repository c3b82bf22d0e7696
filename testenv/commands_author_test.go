package testenv_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"plumb/agent/protocol"
	"plumb/testenv"
)

func cmdAuthor(ts *testscript.TestScript, s *scene, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: author NAME")
	}
	key := filepath.Join(s.work, args[0])
	if err := ts.Exec("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", args[0], "-f", key); err != nil {
		return err
	}
	_, err := s.output("author", "add", args[0], key+".pub")
	return err
}

// cmdPolicy is what an author does in a clone of the policy repository.
func cmdPolicy(ts *testscript.TestScript, neg bool, args []string) {
	s := sceneOf(ts)
	steps, err := policySteps(s, args)
	ts.Check(err)
	dir := filepath.Join(s.work, "policy")
	ts.Check(os.MkdirAll(dir, 0o755))
	for i, step := range steps {
		cmd := s.command(dir, step[0], step[1:]...)
		cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
		err := cmd.Run()
		if i < len(steps)-1 {
			ts.Check(err) // only the last one, the push, may be refused
			continue
		}
		judge(ts, neg, err)
	}
}

func policySteps(s *scene, args []string) ([][]string, error) {
	switch verb := strings.Join(args[:min(1, len(args))], ""); {
	case verb == "init" && len(args) == 1:
		return [][]string{
			{"git", "init", "--quiet", "--initial-branch=main"},
			{"git", "remote", "add", "origin", "ssh://git@" + testenv.ServerAddress + ":7022/policy"},
			{"git", "config", "gpg.format", "ssh"},
			{"git", "config", "user.signingkey", filepath.Join(s.work, "alice.pub")},
		}, nil
	case verb == "fetch" && len(args) == 1:
		return [][]string{{"git", "fetch", "--quiet", "--tags", "origin"}}, nil
	case verb == "release":
		return [][]string{append([]string{filepath.Join(s.products, "plumb"), "release", "create", "--data", s.data()}, args[1:]...)}, nil
	case verb == "push" && len(args) == 2:
		return [][]string{
			{"git", "add", "--all"},
			{"git", "commit", "--quiet", "--message", args[1]},
			{"git", "push", "--quiet", "origin", "main"},
		}, nil
	}
	return nil, errors.New("usage: policy init | policy fetch | policy push MESSAGE | policy release")
}

// cmdSigners writes the release keys into the policy repository.
func cmdSigners(_ *testscript.TestScript, s *scene, names []string) error {
	var lines strings.Builder
	for _, name := range names {
		key, err := os.ReadFile(filepath.Join(s.work, name+".pub"))
		if err != nil {
			return err
		}
		fmt.Fprintf(&lines, "%s namespaces=\"git\" %s", name, key)
	}
	file := filepath.Join(s.work, "policy", protocol.SignersFile)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(lines.String()), 0o644)
}
