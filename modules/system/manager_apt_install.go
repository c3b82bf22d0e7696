package system

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// InstallPatch installs only archives that were fetched. It first asks apt for its plan: when
// that holds more or less than what is wanted, the error wraps [ErrNoPlan] and nothing was
// changed. What counts in the end is dpkg's status, whatever apt's exit code was.
func (a aptManager) InstallPatch(ctx context.Context, wanted []Target, conffiles string) error {
	job, err := a.newJob(ctx, wanted)
	if err != nil {
		return err
	}
	if _, job = job.split(); len(job.wanted) == 0 {
		a.end(ctx)
		return nil
	}
	for _, t := range job.wanted {
		if _, err := a.fetched(job.offered.find(t)); err != nil {
			return fmt.Errorf("cannot install: %w", err)
		}
	}
	if err := a.s.waitForLocks(ctx, lockWait, packageLocks()); err != nil {
		return err
	}
	if err := a.accept(ctx, job); err != nil {
		return err
	}
	if err := a.begin(ctx, job, conffiles); err != nil {
		return err
	}
	out, failed := a.install(ctx, job, conffiles)
	return a.reached(ctx, job, out, failed)
}

// accept refuses a plan of apt that is not exactly the job.
func (a aptManager) accept(ctx context.Context, job aptJob) error {
	plan, err := a.simulate(ctx, job.db, job.wanted, job.offered)
	if err != nil {
		return err
	}
	if plan.refused != "" {
		return fmt.Errorf("%w: %s", ErrNoPlan, strings.Join(append(plan.unmet, plan.refused), "; "))
	}
	if len(plan.remove) > 0 {
		return fmt.Errorf("%w: it would remove %s", ErrNoPlan, strings.Join(plan.remove, ", "))
	}
	for _, t := range plan.install {
		if !slices.ContainsFunc(job.wanted, func(w Target) bool { return job.offered.find(w) == job.offered.find(t) && w.bare() == t.bare() }) {
			return fmt.Errorf("%w: it would also install %s %s, which nobody asked for", ErrNoPlan, t.Name, t.Version)
		}
	}
	return nil
}

// install lets apt do the job. Nobody ends dpkg before its time: a run that is called off
// would leave packages half-installed.
func (a aptManager) install(ctx context.Context, job aptJob, conffiles string) (Output, error) {
	lock := fmt.Sprintf("DPkg::Lock::Timeout=%d", int(lockWait.Seconds()))
	args := append([]string{"-o", lock, "--no-download"}, installArgs(job.db, job.wanted, job.offered)...)
	out, err := a.patchGet(context.WithoutCancel(ctx), conffiles, args)
	if err == nil && out.Code != 0 {
		err = aptFailure(out)
	}
	a.s.ForgetDpkg()
	return out, err
}

// reached compares dpkg's status with what was wanted.
func (a aptManager) reached(ctx context.Context, job aptJob, out Output, failed error) error {
	db, err := a.s.Dpkg()
	if err != nil {
		return errors.Join(failed, err)
	}
	var missing []string
	for _, t := range job.wanted {
		if !t.reached(db) {
			missing = append(missing, t.Name+" "+t.Version)
		}
	}
	if len(missing) == 0 && len(db.Broken()) == 0 {
		a.end(ctx)
		a.prune(job.wanted)
		return nil
	}
	if errors.Is(failed, ErrBusy) {
		return failed
	}
	scripts := parseDpkgFailures(string(out.Stderr), func(name string) string { return versionIn(db, name) })
	if len(scripts) > 0 {
		return fmt.Errorf("%s; not installed: %s", strings.Join(scripts, "; "), strings.Join(missing, ", "))
	}
	if failed == nil {
		failed = errors.New("apt said nothing of a failure")
	}
	return fmt.Errorf("not installed: %s: %w", strings.Join(missing, ", "), failed)
}

func versionIn(db *Dpkg, name string) string {
	p, _ := db.Find(name)
	return p.Version
}

// parseDpkgFailures reads which maintainer scripts failed, with what they said last:
//
//	postinst: no such user
//	dpkg: error processing package broken (--configure):
//	 installed broken package post-installation script subprocess returned error exit status 1
func parseDpkgFailures(stderr string, version func(name string) string) []string {
	var found, said []string
	name, warned := "", false
	for line := range strings.Lines(stderr) {
		// What dpkg warns about goes on in lines with a blank at the front.
		warned = strings.HasPrefix(line, "dpkg: warning:") || warned && strings.HasPrefix(line, " ")
		line = printableWord([]byte(line))
		if rest, ok := strings.CutPrefix(line, "dpkg: error processing "); ok {
			name = failedPackage(rest)
			continue
		}
		script, code, ok := failedScript(line)
		if name == "" || !ok {
			if line != "" && name == "" && !warned && !strings.HasPrefix(line, "dpkg") {
				said = append(said, line)
			}
			name = ""
			continue
		}
		text := strings.TrimSpace(fmt.Sprintf("%s of %s %s", script, name, version(name)))
		text += " failed (" + code + ")"
		if len(said) > 0 {
			text += ": " + strings.Join(said[max(0, len(said)-3):], "; ")
		}
		found = append(found, text)
		name, said = "", nil
	}
	return found
}

// failedPackage reads "package broken (--configure):" and "archive /x/broken_1_all.deb (--unpack):".
func failedPackage(rest string) string {
	words := strings.Fields(rest)
	if len(words) < 2 {
		return ""
	}
	name := words[1]
	if words[0] == "archive" {
		name = name[strings.LastIndexByte(name, '/')+1:]
		name, _, _ = strings.Cut(name, "_")
	}
	return name
}

// failedScript reads "installed x package post-installation script subprocess returned error
// exit status 1".
func failedScript(line string) (script, code string, ok bool) {
	head, code, ok := strings.Cut(line, " script subprocess ")
	if !ok {
		return "", "", false
	}
	words := strings.Fields(head)
	names := map[string]string{"pre-installation": "preinst", "post-installation": "postinst", "pre-removal": "prerm", "post-removal": "postrm"}
	if len(words) == 0 || names[words[len(words)-1]] == "" {
		return "", "", false
	}
	code = strings.TrimPrefix(strings.TrimPrefix(code, "returned error "), "was ")
	return names[words[len(words)-1]], strings.Replace(code, "exit status", "exit", 1), true
}
