package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdCampaign lets the program tamper change what is managed on a host, and shows how long each
// thing stayed changed. It fails when something is never mended.
func cmdCampaign(ts *testscript.TestScript, neg bool, args []string) {
	s := sceneOf(ts)
	if len(args) != 5 {
		ts.Fatalf("usage: campaign files|burst|units WHERE N N2 HOST")
	}
	h, err := s.host(args[4])
	ts.Check(err)
	ts.Check(h.Copy(filepath.Join(s.products, "tamper"), "/usr/local/bin/tamper", 0o755))
	out, err := h.Exec(context.Background(), "tamper", args[0], args[1], args[2+soakIndex()])
	fmt.Fprint(ts.Stdout(), out)
	ts.Logf("%s", strings.TrimSpace(out)[strings.LastIndex(strings.TrimSpace(out), "\n")+1:])
	judge(ts, neg, err)
}

// cmdLogin runs a command on a host as a person does who came in through SSH and is root by now: the
// login's user is who came in, whatever su made of them.
func cmdLogin(ts *testscript.TestScript, s *scene, args []string) error {
	if len(args) < 3 {
		return errors.New("usage: login HOST USER COMMAND")
	}
	h, err := s.host(args[0])
	if err != nil {
		return err
	}
	out, err := h.Exec(context.Background(), "ssh", "-q", "-i", "/root/.ssh/testenv", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
		args[1]+"@127.0.0.1", strings.Join(args[2:], " "))
	fmt.Fprint(ts.Stdout(), out)
	return err
}
