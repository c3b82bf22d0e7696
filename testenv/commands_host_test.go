package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

func cmdLabels(_ *testscript.TestScript, s *scene, args []string) error {
	s.labels = nil
	for _, label := range args {
		s.labels = append(s.labels, "--label", label)
	}
	return nil
}

func cmdEnrol(ts *testscript.TestScript, neg bool, args []string) {
	var options []string
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		options, args = append(options, args[0]), args[1:]
	}
	for _, name := range args {
		judge(ts, neg, sceneOf(ts).enrol(name, options...))
	}
}

// cmdAgents runs the agents of all hosts together and shows what they say, host by host.
func cmdAgents(ts *testscript.TestScript, neg bool, args []string) {
	s := sceneOf(ts)
	said := make([]string, s.hosts)
	failed := make([]error, s.hosts)
	done := make(chan struct{})
	for i := range s.hosts {
		go func() {
			defer func() { done <- struct{}{} }()
			name := "h" + strconv.Itoa(i+1)
			cmd, err := prepare(ts, "agent", append([]string{name}, args...))
			if err != nil {
				failed[i] = err
				return
			}
			out, err := cmd.CombinedOutput()
			said[i] = name + ":\n" + string(out)
			if err != nil {
				failed[i] = fmt.Errorf("the agent on %s: %w", name, err)
			}
		}()
	}
	for range s.hosts {
		<-done
	}
	io.WriteString(ts.Stdout(), strings.Join(said, ""))
	judge(ts, neg, errors.Join(failed...))
}

func cmdTamper(_ *testscript.TestScript, s *scene, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: tamper HOST FILE")
	}
	h, err := s.host(args[0])
	if err != nil {
		return err
	}
	_, err = h.Exec(context.Background(), "sh", "-c", `echo "# tampered with" >>"$1"`, "tamper", args[1])
	return err
}
