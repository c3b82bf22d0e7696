package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"plumb/testenv"
)

var errApt = errors.New("usage: apt publish SUITE NAME=VERSION... | apt build SUITE NAME=VERSION [postinst=FILE] [depends=TEXT] [PATH=FILE]... | apt add SUITE FILE... | " +
	"apt origin NAME | apt use SUITE HOST... | apt update HOST... | apt install HOST NAME...")

func cmdApt(ts *testscript.TestScript, s *scene, args []string) error {
	if len(args) < 2 {
		return errApt
	}
	if args[0] == "update" {
		return s.aptUpdate(args[1:])
	}
	repository, err := s.serveApt()
	if err != nil {
		return err
	}
	if args[0] == "origin" {
		repository.Origin = args[1]
		return nil
	}
	if len(args) < 3 {
		return errApt
	}
	switch args[0] {
	case "publish":
		return publishPlain(repository, args[1], args[2:])
	case "build":
		p, err := aptPackage(ts, args[2], args[3:])
		if err != nil {
			return err
		}
		return repository.Publish(context.Background(), args[1], p)
	case "add":
		return repository.Add(context.Background(), args[1], args[2:]...)
	case "use":
		return s.useApt(repository, args[1], args[2:])
	case "install":
		return s.aptInstall(args[1], args[2:])
	}
	return errApt
}

func publishPlain(r *testenv.AptRepository, suite string, names []string) error {
	var packages []testenv.AptPackage
	for _, arg := range names {
		name, version, _ := strings.Cut(arg, "=")
		packages = append(packages, testenv.AptPackage{Name: name, Version: version})
	}
	return r.Publish(context.Background(), suite, packages...)
}

// aptPackage makes a package of what a script says: its maintainer script, what it depends on,
// and its files.
func aptPackage(ts *testscript.TestScript, what string, options []string) (testenv.AptPackage, error) {
	name, version, _ := strings.Cut(what, "=")
	p := testenv.AptPackage{Name: name, Version: version, Files: map[string]string{}}
	for _, option := range options {
		key, value, ok := strings.Cut(option, "=")
		if !ok {
			return p, errApt
		}
		if key == "depends" {
			p.Depends = value
			continue
		}
		content, err := os.ReadFile(ts.MkAbs(value))
		if err != nil {
			return p, err
		}
		if key == "postinst" {
			p.Postinst = string(content)
		} else {
			p.Files[key] = string(content)
		}
	}
	return p, nil
}

// useApt lets hosts take packages from a suite.
func (s *scene) useApt(r *testenv.AptRepository, suite string, hosts []string) error {
	for _, name := range hosts {
		h, err := s.host(name)
		if err != nil {
			return err
		}
		if err := h.UseRepository(r, "http://"+testenv.ServerAddress+":8000/", suite); err != nil {
			return err
		}
	}
	return s.aptUpdate(hosts)
}

// aptUpdate fetches the package lists, as a timer of the host does.
func (s *scene) aptUpdate(hosts []string) error {
	for _, name := range hosts {
		h, err := s.host(name)
		if err != nil {
			return err
		}
		// apt does not wait for this lock, and the agent fetches lists, too.
		err = await(s.patience, func() error {
			_, err := h.Exec(context.Background(), "apt-get", "update", "--error-on=any")
			if err != nil && !strings.Contains(err.Error(), "Could not get lock") {
				return stop{err}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// aptInstall installs packages as an administrator would, before policy has a say.
func (s *scene) aptInstall(host string, names []string) error {
	h, err := s.host(host)
	if err != nil {
		return err
	}
	if _, err := h.Exec(context.Background(), "apt-get", append([]string{"install", "-y", "-q"}, names...)...); err != nil {
		return fmt.Errorf("cannot install on %s: %w", host, err)
	}
	return nil
}
