package system

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Broken lists the packages that dpkg left half done. A dpkg that was killed between two
// packages leaves none of them, only its journal: then the list names dpkg.
func (a aptManager) Broken(context.Context) ([]string, error) {
	db, err := a.readAnew()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range db.Broken() {
		names = append(names, db.label(p))
	}
	if len(names) == 0 && db.Interrupted {
		names = []string{"dpkg"}
	}
	return names, nil
}

func (a aptManager) readAnew() (*Dpkg, error) {
	a.s.ForgetDpkg()
	return a.s.Dpkg()
}

// Mend goes from the gentlest way to the strongest until dpkg's status says that nothing is
// broken. "dpkg --configure -a" alone ends well far more often than it mends: what was being
// unpacked has to be unpacked again, from the archive that was verified. No package is removed but one that
// somebody was removing.
func (a aptManager) Mend(ctx context.Context) error {
	if err := a.s.waitForLocks(ctx, lockWait, packageLocks()); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	begun, err := a.s.begun()
	if err != nil {
		return fmt.Errorf("cannot read what was being installed: %w", err)
	}
	ways := []func(context.Context, aptBegun) error{a.configure, a.removeRest, a.unpackAgain, a.finish, a.reinstall, a.fixDepends}
	var said []string
	for _, way := range ways {
		broken, err := a.Broken(ctx)
		if err != nil || len(broken) == 0 {
			return a.mended(ctx, err)
		}
		if err := way(ctx, begun); err != nil && !slices.Contains(said, err.Error()) {
			said = append(said, err.Error())
		}
	}
	broken, err := a.Broken(ctx)
	if err != nil || len(broken) == 0 {
		return a.mended(ctx, err)
	}
	return fmt.Errorf("cannot mend %s: %s", strings.Join(broken, ", "), strings.Join(said, "; "))
}

func (a aptManager) mended(ctx context.Context, err error) error {
	if err == nil {
		a.end(ctx)
	}
	return err
}

// configure goes on where dpkg stopped.
func (a aptManager) configure(ctx context.Context, b aptBegun) error {
	return a.dpkgRun(ctx, b, "--configure", "-a")
}

func (a aptManager) dpkgRun(ctx context.Context, b aptBegun, args ...string) error {
	argv := slices.Concat([]string{"dpkg"}, conffileOptions(b.Conffiles), args)
	out, err := a.s.Run(ctx, Command{Argv: argv, Env: patchEnv(b.Conffiles), Timeout: patchLimit, MaxOutput: 16 << 20})
	if err != nil || out.Code == 0 {
		return err
	}
	db, err := a.readAnew()
	if err != nil {
		return err
	}
	if scripts := parseDpkgFailures(string(out.Stderr), func(name string) string { return versionIn(db, name) }); len(scripts) > 0 {
		return errors.New(strings.Join(scripts, "; "))
	}
	return fmt.Errorf("dpkg failed (exit %d): %s", out.Code, out.LastWords())
}

// removeRest ends the removal of what somebody had begun to remove.
func (a aptManager) removeRest(ctx context.Context, b aptBegun) error {
	db, err := a.readAnew()
	if err != nil {
		return err
	}
	for _, p := range db.Broken() {
		if p.Want != "deinstall" && p.Want != "purge" {
			continue
		}
		verb := map[string]string{"deinstall": "--remove", "purge": "--purge"}[p.Want]
		if err := a.dpkgRun(ctx, b, verb, "--", db.label(p)); err != nil {
			return err
		}
	}
	return nil
}

// unpackAgain unpacks the versions that were being installed and configures all.
func (a aptManager) unpackAgain(ctx context.Context, b aptBegun) error {
	db, err := a.readAnew()
	if err != nil {
		return err
	}
	files, err := a.begunArchives(ctx, db, b)
	if err != nil || len(files) == 0 {
		return err
	}
	unpacked := a.dpkgRun(ctx, b, append([]string{"--auto-deconfigure", "--unpack", "--"}, files...)...)
	return errors.Join(unpacked, a.configure(ctx, b))
}

// begunArchives are the archives of what is broken, of the version that was on its way.
func (a aptManager) begunArchives(ctx context.Context, db *Dpkg, b aptBegun) ([]string, error) {
	log := a.dpkgLog()
	var files []string
	for _, p := range db.Broken() {
		version := versionBegun(p, b, log)
		for _, folder := range []string{aptArchives, "/var/cache/apt/archives"} {
			file := path.Join(folder, path.Base(archiveFile(p.Name, version, p.Arch)))
			r, err := a.readArchive(ctx, file)
			if err != nil {
				return nil, err
			}
			if r != nil && r.name == p.Name && r.version == version {
				files = append(files, file)
				break
			}
		}
	}
	return files, nil
}

// finish lets apt bring the rest of what was begun: a package that is only unpacked may wait
// for one that was not touched yet.
func (a aptManager) finish(ctx context.Context, b aptBegun) error {
	if len(b.Wanted) == 0 {
		return nil
	}
	job, err := a.newJob(ctx, b.Wanted)
	if err != nil {
		return err
	}
	if _, job = job.split(); len(job.wanted) == 0 {
		return nil
	}
	_, err = a.install(ctx, job, b.Conffiles)
	return err
}

// reinstall fetches the versions that were on their way anew. Only where one cannot be had any
// more apt chooses another: a host that is broken for good is worse than a version too new.
func (a aptManager) reinstall(ctx context.Context, b aptBegun) error {
	db, err := a.readAnew()
	if err != nil || len(db.Broken()) == 0 {
		return err
	}
	var names []string
	for _, p := range db.Broken() {
		names = append(names, aptName(p.Name, p.Arch, db.Arch))
	}
	offered, err := a.onOffer(ctx, names)
	if err != nil {
		return err
	}
	log := a.dpkgLog()
	args := []string{"--allow-downgrades", "install", "--reinstall", "--"}
	for _, p := range db.Broken() {
		t := Target{Name: p.Name, Arch: p.Arch, Version: versionBegun(p, b, log)}
		if offered.find(t) != nil {
			args = append(args, t.spec())
		} else {
			args = append(args, db.label(p))
		}
	}
	return a.patchGetFine(ctx, b, args)
}

// fixDepends lets apt draw in what is missing. --no-remove stands with every call.
func (a aptManager) fixDepends(ctx context.Context, b aptBegun) error {
	return a.patchGetFine(ctx, b, []string{"-f", "install"})
}

func (a aptManager) patchGetFine(ctx context.Context, b aptBegun, args []string) error {
	out, err := a.patchGet(ctx, b.Conffiles, args)
	if err == nil && out.Code != 0 {
		err = aptFailure(out)
	}
	return err
}
