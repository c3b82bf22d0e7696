package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// patchLimit is how long one call that fetches or installs may take. dpkg is not stopped when a
// run is called off, only when a script of a package has hung for as long as this.
const patchLimit = 2 * time.Hour

// errGone is wrapped when neither a repository nor our archives have a version.
var errGone = errors.New("no repository has it any more")

// FetchPatch lets apt fetch and verify the archives, and then compares each with what its
// repository says of it. A version that is installed is fetched as well: it is the way back.
// It may be called off at any time.
func (a aptManager) FetchPatch(ctx context.Context, wanted []Target) error {
	job, err := a.newJob(ctx, wanted)
	if err != nil {
		return err
	}
	job.wanted = job.missing(a)
	if len(job.wanted) == 0 {
		return nil
	}
	if err := a.s.waitForLocks(ctx, lockWait, packageLocks()); err != nil {
		return err
	}
	there, fresh := job.split()
	if err := a.fetch(ctx, there, "--reinstall", "--download-only"); err != nil {
		return err
	}
	if err := a.fetch(ctx, fresh, "--download-only"); err != nil {
		return err
	}
	return a.fetchRest(ctx, job)
}

func (a aptManager) fetch(ctx context.Context, job aptJob, how ...string) error {
	if len(job.wanted) == 0 {
		return nil
	}
	out, err := a.patchGet(ctx, "keep", append(how, installArgs(job.db, job.wanted, job.offered)...))
	if err == nil && out.Code != 0 {
		err = aptFailure(out)
	}
	if err != nil {
		return fmt.Errorf("cannot fetch packages: %w", err)
	}
	return nil
}

// fetchRest copies what apt would use where it is, such as a repository in a local folder.
func (a aptManager) fetchRest(ctx context.Context, job aptJob) error {
	rest := job.missing(a)
	if len(rest) == 0 {
		return nil
	}
	args := []string{"download", "--"}
	for _, t := range rest {
		args = append(args, t.spec())
	}
	argv := slices.Concat([]string{"apt-get", "-y", "-q"}, a.s.apt.options, args)
	out, err := a.s.Run(ctx, Command{Argv: argv, Env: aptEnv(), Timeout: patchLimit, Dir: aptArchives})
	if err == nil && out.Code != 0 {
		err = aptFailure(out)
	}
	if err != nil {
		return fmt.Errorf("cannot fetch packages: %w", err)
	}
	for _, t := range rest {
		if _, err := a.fetched(job.offered.find(t)); err != nil {
			return err
		}
	}
	return nil
}

// aptJob is what a call of FetchPatch or InstallPatch is about.
type aptJob struct {
	db      *Dpkg
	wanted  []Target
	offered debOffers
}

// newJob looks the versions up. The error wraps [errGone] when one cannot be had any more.
func (a aptManager) newJob(ctx context.Context, wanted []Target) (aptJob, error) {
	a.s.ForgetDpkg()
	db, err := a.s.Dpkg()
	if err != nil {
		return aptJob{}, err
	}
	wanted = slices.Compact(slices.SortedFunc(slices.Values(wanted), orderDebs))
	job := aptJob{db: db, wanted: wanted}
	if len(wanted) == 0 {
		return job, nil
	}
	if job.offered, err = a.onOffer(ctx, db.aptNames(wanted)); err != nil {
		return job, err
	}
	if err := a.archived(ctx, job.offered, wanted); err != nil {
		return job, err
	}
	for _, t := range wanted {
		if job.offered.find(t) == nil {
			return job, fmt.Errorf("cannot get %s %s: %w", t.Name, t.Version, errGone)
		}
	}
	return job, a.s.makeArchives()
}

// split parts what is installed already from what is still to come.
func (j aptJob) split() (there, fresh aptJob) {
	there, fresh = j, j
	there.wanted = slices.DeleteFunc(slices.Clone(j.wanted), func(t Target) bool { return !t.reached(j.db) })
	fresh.wanted = slices.DeleteFunc(slices.Clone(j.wanted), func(t Target) bool { return t.reached(j.db) })
	return there, fresh
}

// missing are the targets whose archives are not there as they should be. What has the wrong
// bytes goes: apt itself looks only at the length.
func (j aptJob) missing(a aptManager) []Target {
	return slices.DeleteFunc(slices.Clone(j.wanted), func(t Target) bool {
		r := j.offered.find(t)
		_, err := a.fetched(r)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			_ = a.s.Files().Remove(archiveFile(r.name, r.version, r.arch))
		}
		return err == nil
	})
}

// makeArchives makes the folder for archives; apt gives the inner one to the user who fetches.
func (s *System) makeArchives() error {
	folder := filepath.Join("/", s.Root, aptArchives)
	if err := os.MkdirAll(folder+"/partial", 0o755); err != nil {
		return fmt.Errorf("cannot make the folder for archives: %w", err)
	}
	return nil
}

// patchGet runs apt-get with our own folder of archives and the given way with configuration
// files that were changed here: keep them, or take the new ones.
func (a aptManager) patchGet(ctx context.Context, conffiles string, args []string) (Output, error) {
	argv := []string{"apt-get", "-y", "-q", "--no-remove", "-o", "Dpkg::Use-Pty=0",
		"-o", "Dir::Cache::archives=" + aptArchives + "/", "-o", "APT::Keep-Downloaded-Packages=true"}
	for _, option := range conffileOptions(conffiles) {
		argv = append(argv, "-o", "Dpkg::Options::="+option)
	}
	argv = slices.Concat(argv, a.s.apt.options, args)
	return a.s.Run(ctx, Command{Argv: argv, Env: patchEnv(conffiles), Timeout: patchLimit, MaxOutput: 16 << 20})
}

func conffileOptions(conffiles string) []string {
	if conffiles == "new" {
		return []string{"--force-confnew"}
	}
	return []string{"--force-confdef", "--force-confold"}
}

func patchEnv(conffiles string) map[string]string {
	env := aptEnv()
	env["NEEDRESTART_MODE"] = "l"
	if conffiles == "new" {
		delete(env, "UCF_FORCE_CONFFOLD")
		env["UCF_FORCE_CONFFNEW"] = "1"
	}
	return env
}
