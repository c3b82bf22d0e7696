package system

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// rpmBegunFile tells of an InstallPatch that did not come to its end, and of package scripts
// that failed in one that did: rpm's database knows of neither.
const rpmBegunFile = "/var/cache/plumb-agent/rpm-installing.json"

type rpmBegun struct {
	// Wanted are the versions that were being installed when the run was cut off, or of which it
	// brought only some.
	Wanted []Target `json:"wanted,omitempty"`
	// Failed are installed versions of which a script failed.
	Failed []Target `json:"failed,omitempty"`
	// Conffiles is the policy, and Configs the changed files to which it applies.
	Conffiles string      `json:"conffiles,omitempty"`
	Configs   []rpmConfig `json:"configs,omitempty"`
}

func (r rpmDatabase) begun() (rpmBegun, error) {
	var b rpmBegun
	raw, err := r.s.Files().Read(rpmBegunFile, 16<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return b, fmt.Errorf("cannot read what was being installed: %w", err)
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return rpmBegun{}, nil // written before anything began, and cut off by the power
	}
	return b, nil
}

// note keeps b, or nothing when there is nothing to keep.
func (r rpmDatabase) note(b rpmBegun) error {
	if len(b.Wanted)+len(b.Failed)+len(b.Configs) == 0 {
		err := r.s.Files().Remove(rpmBegunFile)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	raw, err := json.Marshal(b)
	if err != nil {
		return err
	}
	if err := r.s.Files().Mkdir(path.Dir(rpmBegunFile), Attributes{}); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("cannot note what is going to be installed: %w", err)
	}
	if err := r.s.Files().Write(rpmBegunFile, raw, WriteOptions{}); err != nil {
		return fmt.Errorf("cannot note what is going to be installed: %w", err)
	}
	return nil
}

// rpmInstaller is what dnf and zypper do differently in one installation.
type rpmInstaller struct {
	simulate func(ctx context.Context, wanted []Target) (rpmTransaction, error)
	// install installs from what was fetched, and reinstall unpacks versions that are there again;
	// locate finds the fetched file of a version.
	install, reinstall func(ctx context.Context, wanted []Target) (Output, error)
	locate             func(t Target) (string, bool)
	// fine tells exit codes with which the packages are in, and failure is the error for an output.
	fine    func(code int) bool
	failure func(Output) error
}

// lacks is the error for versions that an installation did not bring.
func (how rpmInstaller) lacks(missing []Target, out Output) error {
	var names []string
	for _, t := range missing {
		names = append(names, t.Name+" "+t.Version)
	}
	if how.fine(out.Code) {
		return fmt.Errorf("cannot install %s: it says that all is well, and they are not there: %s", strings.Join(names, ", "), out.LastWords())
	}
	return fmt.Errorf("cannot install %s: %w", strings.Join(names, ", "), how.failure(out))
}

// installPatch installs exactly what is wanted, and tells from rpm's database whether it did.
func (r rpmDatabase) installPatch(ctx context.Context, wanted []Target, conffiles string, how rpmInstaller) error {
	if err := r.accept(ctx, wanted, how); err != nil {
		return err
	}
	old, err := r.begun()
	if err != nil {
		return err
	}
	r.sweep(ctx, old.Wanted, how.locate)
	configs, err := r.configs(ctx, wanted, how.locate)
	if err != nil {
		return err
	}
	fresh, err := r.missing(ctx, wanted)
	if err != nil {
		return err
	}
	begun := rpmBegun{Wanted: fresh, Failed: old.Failed, Conffiles: conffiles, Configs: configs}
	if err := r.note(begun); err != nil {
		return err
	}
	out, failed := how.install(ctx, wanted)
	if failed != nil {
		return failed // cut off; the note stays
	}
	if err := r.settle(begun); err != nil {
		return err
	}
	return r.reached(ctx, wanted, begun, out, how)
}

// missing returns those that are not installed.
func (r rpmDatabase) missing(ctx context.Context, list []Target) ([]Target, error) {
	there, err := r.installedVersions(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(list), func(t Target) bool { return there[t] }), nil
}

// accept refuses what would remove a package or bring other versions than those wanted.
func (r rpmDatabase) accept(ctx context.Context, wanted []Target, how rpmInstaller) error {
	t, err := how.simulate(ctx, wanted)
	if err != nil {
		return err
	}
	if len(t.problem) > 0 {
		return fmt.Errorf("cannot install %s: %s", wanted[0].Name, strings.Join(t.problem, "; "))
	}
	if len(t.removed) > 0 {
		return fmt.Errorf("cannot install %s: %s would be removed", wanted[0].Name, strings.Join(t.removed, ", "))
	}
	for _, c := range t.changes {
		if !slices.Contains(wanted, c) {
			return fmt.Errorf("cannot install %s: it needs %s %s, which is not part of the plan", wanted[0].Name, c.Name, c.Version)
		}
	}
	return nil
}

// reached compares rpm's database with what was wanted, and notes scripts that failed. When only some
// came in, what was begun stays noted: the host has half a patch, and rpm itself sees nothing wrong with it.
func (r rpmDatabase) reached(ctx context.Context, wanted []Target, begun rpmBegun, out Output, how rpmInstaller) error {
	there, err := r.installedVersions(ctx)
	if err != nil {
		return err
	}
	absent := func(t Target) bool { return !there[t] }
	missing := slices.DeleteFunc(slices.Clone(wanted), func(t Target) bool { return there[t] })
	scripts := failedScripts(out, wanted)
	left := rpmBegun{Failed: slices.DeleteFunc(slices.Concat(begun.Failed, scripts), absent)}
	if len(missing) > 0 && !slices.Equal(missing, begun.Wanted) {
		left.Wanted, left.Conffiles, left.Configs = begun.Wanted, begun.Conffiles, begun.Configs
	}
	if err := r.note(left); err != nil {
		return err
	}
	switch {
	case len(missing) > 0:
		return how.lacks(missing, out)
	case len(scripts) > 0:
		return fmt.Errorf("a package script of %s failed: %s", scripts[0].Name, scriptWords(out))
	}
	return nil
}

// scriptFailed is how rpm itself reports it; dnf and zypper hand that on. Neither has an exit code
// or a database entry for it (zypper has the code, not the package).
var scriptFailed = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`%[a-z]+\(([^()\s]+)\) scriptlet failed[^\n<]*`) })

// failedScripts returns the wanted versions of which a script failed. Only scripts of new
// versions count: a failed %preun of the old one is past.
func failedScripts(out Output, wanted []Target) []Target {
	var failed []Target
	for _, match := range scriptFailed().FindAllSubmatch(slices.Concat(out.Stdout, []byte("\n"), out.Stderr), -1) {
		for _, t := range wanted {
			if string(match[1]) == t.nvra() && !slices.Contains(failed, t) {
				failed = append(failed, t)
			}
		}
	}
	return failed
}

// scriptWords is what rpm said of it, with the line before, which is mostly the script's own.
func scriptWords(out Output) string {
	said := strings.ToValidUTF8(string(slices.Concat(out.Stdout, []byte("\n"), out.Stderr)), "?")
	lines := strings.Split(said, "\n")
	for i, line := range lines {
		if scriptFailed().MatchString(line) {
			words := strings.Join(lines[max(0, i-2):i+1], "; ")
			return words[max(0, len(words)-600):]
		}
	}
	return out.LastWords()
}
