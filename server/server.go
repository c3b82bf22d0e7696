// Package server is one Plumb server: it opens the data folder, puts the parts together and
// serves the listeners until it is told to stop.
//
// Everything that it keeps is in one folder (and in PostgreSQL, where that is used); it can
// be killed at any moment and started again.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"plumb/inventory"
	"plumb/modules"
	"plumb/policies/compiler"
	"plumb/server/alerts"
	"plumb/server/api"
	"plumb/server/authority"
	"plumb/server/fleet"
	"plumb/server/patching"
	"plumb/server/prometheus"
	"plumb/server/release"
	"plumb/server/repo"
	"plumb/server/rollout"
	"plumb/server/sshd"
	"plumb/server/store"
	"plumb/server/web"
)

// Server is one running server.
type Server struct {
	config Config
	log    *slog.Logger
	now    func() time.Time

	keys    *authority.Authority
	store   *store.Store
	repo    *repo.Repo
	fleet   *fleet.Fleet
	desk    *release.Desk
	rollout *rollout.Driver
	patches *patching.Maker
	alerts  *alerts.Station
	ssh     *sshd.Server
	api     *api.API

	// look looks the database over, patience is how long the doors wait for it, and checked tells what came later.
	look     func(context.Context) error
	patience time.Duration
	checked  <-chan error
}

func newServer(c Config, log *slog.Logger) *Server {
	s := &Server{config: c, log: log, now: time.Now, patience: checkPatience}
	s.look = func(ctx context.Context) error { return s.store.Check(ctx) }
	return s
}

// Run serves until ctx ends. Version is the program's; ready is called once all doors are open.
func Run(ctx context.Context, c Config, version string, log *slog.Logger, ready func(api.Addresses)) error {
	if err := c.check(); err != nil {
		return err
	}
	return newServer(c, log).run(ctx, version, ready)
}

func (s *Server) run(ctx context.Context, version string, ready func(api.Addresses)) error {
	c := s.config
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("cannot make the data folder: %w", err)
	}
	lock, err := lockFolder(c.Data)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := s.open(ctx); err != nil {
		return err
	}
	defer s.store.Close()
	doors, err := listen(c)
	if err != nil {
		return err
	}
	defer doors.close()
	if err := s.assemble(version, doors.addresses(c.name())); err != nil {
		return err
	}
	return s.serve(ctx, doors, ready)
}

// lockFolder keeps a second server out of the same folder. The lock goes with the process.
func lockFolder(data string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(data, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the data folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("another server runs on %s", data)
	}
	return f, nil
}

// open opens what is kept: keys, database, repository.
func (s *Server) open(ctx context.Context) (err error) {
	c := s.config
	if s.keys, err = authority.Open(filepath.Join(c.Data, "keys"), s.now()); err != nil {
		return err
	}
	dsn := c.DB
	if dsn == "" {
		dsn = filepath.Join(c.Data, "plumb.db")
	}
	if n := store.Unsealed(dsn); n > 0 {
		s.log.Info("the database of an older server is written anew, once, with a sum for each page: about ten seconds a gigabyte", "bytes", n)
	}
	if s.store, err = store.Open(ctx, dsn); err != nil {
		return err
	}
	if err := s.check(ctx); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find the own program for Git's hooks: %w", err)
	}
	socket, err := filepath.Abs(filepath.Join(c.Data, api.SocketName))
	if err != nil {
		return err
	}
	s.repo, err = repo.Open(ctx, repo.Options{Data: c.Data, Program: program, Socket: socket})
	return err
}

// assemble puts the parts together.
func (s *Server) assemble(version string, at api.Addresses) error {
	s.fleet = &fleet.Fleet{Store: s.store, Authority: s.keys, Compiler: &catalogs{child: compiler.Compiler{}.Compile, store: s.store}, Interval: s.config.interval(), Now: s.now, Log: s.log}
	s.rollout = &rollout.Driver{Store: s.store, Compiler: compiler.Compiler{}, Now: s.now, Log: s.log}
	if s.config.Prometheus != "" {
		asker, err := prometheus.New(s.config.Prometheus)
		if err != nil {
			return err
		}
		s.rollout.Asker = asker
	}
	s.patches = &patching.Maker{Store: s.store, Rollouts: s.rollout, Compiler: compiler.Compiler{}, Now: s.now, Log: s.log}
	var err error
	if s.alerts, err = s.newAlerts(); err != nil {
		return err
	}
	s.fleet.Assign, s.fleet.Frozen, s.fleet.Reported = s.rollout.Assign, s.rollout.Frozen, s.poke
	s.fleet.Patches = s.rollout.Grants
	s.desk = &release.Desk{Repo: s.repo, Store: s.store, Authority: s.keys, Compiler: compiler.Compiler{}, Upstream: s.config.Upstream.follow(), Now: s.now, Log: s.log}
	s.desk.Plan, s.desk.Released = s.rollout.Plan, s.released
	persons, err := s.newPeople(at)
	if err != nil {
		return err
	}
	s.api = &api.API{
		People:   persons,
		Rollouts: s.rollout, Patches: s.patches, Alerts: s.alerts,
		Store: s.store, Fleet: s.fleet, Authority: s.keys, Policy: policy{s.desk, s.config.Upstream},
		Log: s.log, Now: s.now, Addresses: at, Release: version,
	}
	s.ssh = &sshd.Server{HostKey: s.keys.SSHHostKey(), Authors: s.author, Hosts: s.host, Git: s.git, Handler: s.api.Handler(api.SSHDoor), Log: s.log}
	s.api.Explain = s.explain
	s.api.Drop, s.api.DropAuthor = s.ssh.Drop, s.ssh.DropAuthor
	s.api.Start(web.Pages{Read: s.api.Views, Explain: s.explain, People: persons, Rollouts: s.rollout, Nexts: s.api.PatchNexts, Diff: modules.TextDiff, Version: version}.Routes()...)
	return nil
}

// poke has everything looked at that hangs on how hosts stand.
func (s *Server) poke() {
	s.rollout.Poke()
	s.patches.Poke()
	s.alerts.Poke()
}

func (u Upstream) follow() repo.Upstream {
	poll := time.Duration(u.Poll) * time.Second
	if poll == 0 {
		poll = defaultPoll
	}
	return repo.Upstream{URL: u.URL, Branch: u.Branch, Poll: poll, Key: u.Key, KnownHosts: u.KnownHosts, CA: u.CA}
}

func (s *Server) author(ctx context.Context, fingerprint string) (string, error) {
	a, err := s.store.AuthorByFingerprint(ctx, fingerprint)
	if errors.Is(err, store.ErrNotFound) {
		return "", sshd.ErrUnknown
	}
	return a.Name, err
}

func (s *Server) host(ctx context.Context, fingerprint string) (inventory.HostID, error) {
	h, err := s.store.HostByKey(ctx, fingerprint)
	if errors.Is(err, store.ErrNotFound) || (err == nil && !h.Revoked.IsZero()) {
		return "", sshd.ErrUnknown
	}
	return h.ID, err
}

func (s *Server) git(ctx context.Context, c sshd.Command, stdin io.Reader, stdout, stderr io.Writer) int {
	return s.repo.ServeGit(ctx, repo.Client{Service: c.Service, Author: c.Author, Protocol: c.Protocol}, stdin, stdout, stderr)
}

// serve opens the doors and keeps the background work going. The first part that fails
// brings the others down, so that nobody takes half a server for a whole one.
func (s *Server) serve(ctx context.Context, doors listeners, ready func(api.Addresses)) error {
	names := append([]string{s.config.name(), "localhost", "127.0.0.1", "::1"}, s.config.Names...)
	cert, err := s.keys.ServerCertificate(names, s.now())
	if err != nil {
		return err
	}
	if err := s.rollout.Open(ctx); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.serveHTTP(ctx, doors.people, peopleTLS(cert), s.api.Handler(api.PeopleDoor)) })
	g.Go(func() error {
		return s.serveHTTP(ctx, doors.agents, agentsTLS(cert, s.keys, s.now), s.api.Handler(api.AgentsDoor))
	})
	g.Go(func() error { return s.serveHTTP(ctx, doors.local, nil, s.api.Handler(api.LocalDoor)) })
	g.Go(func() error { return s.ssh.Serve(ctx, doors.ssh) })
	g.Go(func() error { s.fleet.Watch(ctx); return nil })
	g.Go(func() error { s.rollout.Run(ctx); return nil })
	g.Go(func() error { s.patches.Run(ctx); return nil })
	g.Go(func() error { s.alerts.Run(ctx); return nil })
	g.Go(func() error { return s.follow(ctx) })
	g.Go(func() error { return s.endCheck(ctx) })
	g.Go(func() error { collectLate(ctx); return nil })
	g.Go(func() error { return s.endOnDamage(ctx) })
	ready(s.api.Addresses)
	return g.Wait()
}

// stepTime bounds the first step of a new rollout, for which each host's groups are found out.
const stepTime = 5 * time.Minute

// released lets the hosts of the first ring have a release by the time that its author is told of it.
func (s *Server) released(store.Release) {
	ctx, cancel := context.WithTimeout(context.Background(), stepTime)
	defer cancel()
	if err := s.rollout.Step(ctx); err != nil {
		s.log.Error("cannot begin the rollout", "error", err)
	}
	s.patches.Poke()
}

// follow makes the releases that a killed server left undone, then watches the upstream.
func (s *Server) follow(ctx context.Context) error {
	if err := s.desk.Reconcile(ctx); err != nil && ctx.Err() == nil {
		s.log.Error("cannot make releases of what is in the repository", "error", err)
	}
	s.desk.Run(ctx)
	return nil
}
