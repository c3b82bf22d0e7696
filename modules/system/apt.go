package system

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// AptRequest is one thing to ask of apt.
type AptRequest struct {
	// Install and Remove name packages, "nginx" or, to install, "nginx=1.22.1-9".
	Install, Remove []string
	// Purge removes the configuration of the packages in Remove, too.
	Purge bool
	// Recommends installs what the packages recommend, too.
	Recommends bool
	// AllowDowngrade lets packages in Install go to an older version.
	AllowDowngrade bool
	// LockTimeout is how long to wait for other package managers; 0 is ten minutes.
	LockTimeout time.Duration
	// Accept looks at the plan before anything is changed; its error ends the request.
	Accept func(AptPlan) error
}

// AptPlan is what apt would do.
type AptPlan struct {
	// Install maps each package to the version that would be installed.
	Install map[string]string
	// Old maps those of them that are there to the version that would be replaced.
	Old map[string]string
	// Remove are the packages that would go, sorted.
	Remove []string
}

// ErrNoPlan is wrapped when apt finds no way to carry out a request: it does not know the
// package or the version, or something else stands in the way.
var ErrNoPlan = errors.New("apt finds no way")

const (
	aptLimit      = 30 * time.Minute
	aptQueryLimit = 2 * time.Minute
	lockWait      = 10 * time.Minute
)

// aptMemory is what a run remembers about apt.
type aptMemory struct {
	updated bool     // apt-get update was tried in this run
	options []string // added to every call; tests point apt at a private root with it
}

// aptEnv keeps apt and the hooks of needrestart and apt-listchanges from asking anybody.
func aptEnv() map[string]string {
	return map[string]string{
		"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "y",
		"APT_LISTCHANGES_FRONTEND": "none", "UCF_FORCE_CONFFOLD": "1",
	}
}

// PlanApt asks apt what the request would do, downgrades included: the caller judges them.
// It changes nothing and needs no lock.
func (s *System) PlanApt(ctx context.Context, r AptRequest) (AptPlan, error) {
	r.AllowDowngrade = true
	out, err := s.aptGet(ctx, aptQueryLimit, append([]string{"-s"}, r.argv()...))
	if err != nil {
		return AptPlan{}, err
	}
	if out.Code != 0 {
		return AptPlan{}, fmt.Errorf("%w: %s", ErrNoPlan, aptErrors(out))
	}
	return parseAptPlan(string(out.Stdout)), nil
}

// DoApt waits for the package lock, mends what an interrupted dpkg left, looks at the plan
// and carries it out. Its error tells what apt said, but whether all is well only dpkg's
// status knows: the caller reads [System.Dpkg] afterwards. An error that wraps [ErrBusy] or
// [ErrNoPlan] means that nothing was asked of apt.
func (s *System) DoApt(ctx context.Context, r AptRequest) error {
	defer s.ForgetDpkg()
	if r.LockTimeout == 0 {
		r.LockTimeout = lockWait
	}
	if err := s.waitForLocks(ctx, r.LockTimeout, packageLocks()); err != nil {
		return err
	}
	broken := s.repairDpkg(ctx)
	plan, err := s.PlanApt(ctx, r)
	if err == nil && r.Accept != nil {
		err = r.Accept(plan)
	}
	if err != nil {
		return errors.Join(err, broken)
	}
	lock := fmt.Sprintf("DPkg::Lock::Timeout=%d", int(r.LockTimeout.Seconds()))
	// Once dpkg works nobody ends it before its time: a run that is called off would leave
	// packages half-installed.
	out, err := s.aptGet(context.WithoutCancel(ctx), aptLimit, append([]string{"-o", lock}, r.argv()...))
	if err == nil && out.Code != 0 {
		err = aptFailure(out)
	}
	return errors.Join(err, broken)
}

// UpdateApt fetches the package lists, once a run: a second call does nothing. It tells
// whether it tried. An error may mean that one of several repositories did not answer.
func (s *System) UpdateApt(ctx context.Context, wait time.Duration) (tried bool, err error) {
	if s.apt.updated {
		return false, nil
	}
	if wait == 0 {
		wait = lockWait
	}
	if err := s.waitForLocks(ctx, wait, listLocks()); err != nil {
		return false, err
	}
	s.apt.updated = true
	out, err := s.aptGet(ctx, aptLimit, []string{"update"})
	if err != nil {
		return true, err
	}
	if out.Code != 0 {
		return true, fmt.Errorf("apt-get update failed (exit %d): %s", out.Code, aptErrors(out))
	}
	return true, nil
}

// AptVersions returns the versions of a package that apt could install, in apt's order.
func (s *System) AptVersions(ctx context.Context, name string) ([]string, error) {
	argv := slices.Concat([]string{"apt-cache"}, s.apt.options, []string{"madison", "--", name})
	out, err := s.Run(ctx, Command{Argv: argv, Timeout: aptQueryLimit})
	if err != nil {
		return nil, err
	}
	return parseMadison(string(out.Stdout)), nil
}

// AptCandidate returns the version that apt would install by its pins, "" for none.
func (s *System) AptCandidate(ctx context.Context, name string) (string, error) {
	argv := slices.Concat([]string{"apt-cache"}, s.apt.options, []string{"policy", "--", name})
	out, err := s.Run(ctx, Command{Argv: argv, Timeout: aptQueryLimit})
	if err != nil {
		return "", err
	}
	return parseCandidate(string(out.Stdout)), nil
}

// HoldPackage selects the package for hold, or for install when hold is false.
func (s *System) HoldPackage(ctx context.Context, name string, hold bool) error {
	defer s.ForgetDpkg()
	word := "install"
	if hold {
		word = "hold"
	}
	_, err := s.must(ctx, Command{
		Argv: []string{"dpkg", "--set-selections"}, Stdin: []byte(name + " " + word + "\n"),
	})
	return err
}

// repairDpkg finishes what a killed dpkg left. Its "--configure -a" exits with 0 and leaves
// packages half-installed more often than not, so the status decides what is installed anew.
func (s *System) repairDpkg(ctx context.Context) error {
	s.ForgetDpkg()
	db, err := s.Dpkg()
	if err != nil || !db.Interrupted && len(db.Broken()) == 0 {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	_, failed := s.must(ctx, Command{
		Argv: []string{"dpkg", "--force-confdef", "--force-confold", "--configure", "-a"},
		Env:  aptEnv(), Timeout: aptLimit,
	})
	s.ForgetDpkg()
	if db, err = s.Dpkg(); err != nil || len(db.Broken()) == 0 {
		return err
	}
	again := []string{"install", "--reinstall"}
	for _, p := range db.Broken() {
		again = append(again, db.label(p))
	}
	out, err := s.aptGet(ctx, aptLimit, again)
	s.ForgetDpkg()
	if err != nil || out.Code != 0 {
		return fmt.Errorf("cannot mend what an interrupted dpkg left: %w", errors.Join(failed, err, errors.New(aptErrors(out))))
	}
	return nil
}

func (s *System) aptGet(ctx context.Context, limit time.Duration, args []string) (Output, error) {
	argv := slices.Concat([]string{"apt-get", "-y", "-q",
		"-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold",
		"-o", "Dpkg::Use-Pty=0"}, s.apt.options, args)
	return s.Run(ctx, Command{Argv: argv, Env: aptEnv(), Timeout: limit})
}

// argv are apt-get's arguments for the request. A package to remove is "name-" beside
// packages to install, so one call can do both.
func (r AptRequest) argv() []string {
	argv := []string{"-o", fmt.Sprintf("APT::Install-Recommends=%t", r.Recommends)}
	if r.AllowDowngrade {
		argv = append(argv, "--allow-downgrades")
	}
	verb := "install"
	if len(r.Install) == 0 {
		verb = "remove"
	}
	if r.Purge {
		argv = append(argv, "--purge")
	}
	// The caller has looked at the plan: what is held and not ours does not change.
	argv = append(argv, "--allow-change-held-packages", verb, "--")
	argv = append(argv, r.Install...)
	for _, name := range r.Remove {
		if verb == "install" {
			name += "-"
		}
		argv = append(argv, name)
	}
	return argv
}

// aptFailure tells a lock that somebody took after we had looked from every other failure.
func aptFailure(out Output) error {
	if strings.Contains(string(out.Stderr), "Could not get lock ") {
		return fmt.Errorf("%w: %s", errAptBusy, aptErrors(out))
	}
	return fmt.Errorf("apt-get failed (exit %d): %s", out.Code, aptErrors(out))
}

// aptErrors returns apt's own "E:" lines, or its last words.
func aptErrors(o Output) string {
	var lines []string
	for line := range strings.Lines(string(o.Stderr) + "\n" + string(o.Stdout)) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "E: "); ok {
			lines = append(lines, text)
		}
	}
	if len(lines) == 0 {
		return o.LastWords()
	}
	return strings.Join(lines[:min(len(lines), 4)], "; ")
}
