package testenv_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"plumb/testenv"
)

var errRPM = errors.New("usage: rpm publish REPOSITORY NAME=VERSION [post=FILE]... | rpm use REPOSITORY HOST... | rpm update HOST... | rpm install HOST NAME...")

// rpmURL is where hosts find the repositories of rpm packages.
const rpmURL = "http://" + testenv.ServerAddress + ":8001/"

func cmdRPM(ts *testscript.TestScript, s *scene, args []string) error {
	if len(args) < 2 {
		return errRPM
	}
	repository, err := s.serveRPM()
	if err != nil {
		return err
	}
	switch args[0] {
	case "publish":
		return repository.Publish(context.Background(), args[1], rpmPackages(ts, args[2:])...)
	case "use":
		return s.useRPM(repository, args[1], args[2:])
	case "update":
		return s.onEach(args[1:], rpmWords("makecache"), rpmWords("refresh"))
	case "install":
		return s.onEach(args[1:2], rpmWords("install", args[2:]...), rpmWords("install", args[2:]...))
	}
	return errRPM
}

// rpmPackages reads names with versions; post=FILE belongs to the one before it.
func rpmPackages(ts *testscript.TestScript, args []string) []testenv.RPMPackage {
	var packages []testenv.RPMPackage
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		if last := len(packages) - 1; key == "post" && last >= 0 {
			packages[last].Post = ts.ReadFile(value)
			continue
		}
		packages = append(packages, testenv.RPMPackage{Name: key, Version: value})
	}
	return packages
}

// serveRPM makes the repository of rpm packages at its first use.
func (s *scene) serveRPM() (*testenv.RPMRepository, error) {
	if s.rpm != nil {
		return s.rpm, nil
	}
	rpm, err := testenv.NewRPMRepository(context.Background(), filepath.Join(s.work, "rpm"))
	if err != nil {
		return nil, err
	}
	listener, err := s.world.Listen(testenv.ServerAddress + ":8001")
	if err != nil {
		return nil, err
	}
	go http.Serve(listener, rpm.Handler()) // ends with this program
	s.rpm = rpm
	return rpm, nil
}

// useRPM lets hosts take packages from a repository.
func (s *scene) useRPM(r *testenv.RPMRepository, repository string, hosts []string) error {
	for _, name := range hosts {
		h, err := s.host(name)
		if err != nil {
			return err
		}
		if err := h.Copy(filepath.Join(r.Served(), "key.asc"), "/etc/testenv.asc", 0o644); err != nil {
			return err
		}
		if _, err := h.Exec(context.Background(), "rpm", "--import", "/etc/testenv.asc"); err != nil {
			return err
		}
		if err := h.UseRPMRepository(rpmURL, repository); err != nil {
			return err
		}
	}
	return s.onEach(hosts, rpmWords("makecache"), rpmWords("refresh"))
}

func rpmWords(verb string, args ...string) []string { return append([]string{verb}, args...) }

// onEach runs dnf or zypper on hosts, whichever they have, until it can have its lock.
func (s *scene) onEach(hosts, dnf, zypper []string) error {
	for _, name := range hosts {
		h, err := s.host(name)
		if err != nil {
			return err
		}
		argv := append([]string{"zypper", "-n", "--gpg-auto-import-keys"}, zypper...)
		if _, err := h.Exec(context.Background(), "test", "-x", "/usr/bin/dnf"); err == nil {
			argv = append([]string{"dnf", "-q", "-y"}, dnf...)
		}
		err = await(s.patience, func() error {
			_, err := h.Exec(context.Background(), argv[0], argv[1:]...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
