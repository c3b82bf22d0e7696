package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"plumb/testenv"
)

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

func cmdApt(_ *testscript.TestScript, s *scene, args []string) error {
	if len(args) < 3 {
		return errors.New("usage: apt publish SUITE NAME=VERSION... | apt use SUITE HOST...")
	}
	repository, err := s.serveApt()
	if err != nil {
		return err
	}
	if args[0] == "publish" {
		var packages []testenv.AptPackage
		for _, arg := range args[2:] {
			name, version, _ := strings.Cut(arg, "=")
			packages = append(packages, testenv.AptPackage{Name: name, Version: version})
		}
		return repository.Publish(context.Background(), args[1], packages...)
	}
	for _, name := range args[2:] {
		h, err := s.host(name)
		if err != nil {
			return err
		}
		if err := h.UseRepository(repository, "http://"+testenv.ServerAddress+":8000/", args[1]); err != nil {
			return err
		}
		if _, err := h.Exec(context.Background(), "apt-get", "update", "--error-on=any"); err != nil {
			return err
		}
	}
	return nil
}
