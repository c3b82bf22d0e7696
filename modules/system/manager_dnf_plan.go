package system

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	dnfQueryLimit   = 5 * time.Minute
	dnfInstallLimit = time.Hour
)

// dnfOptions are the same for all calls: nothing is asked, nothing is removed to make room, no
// package comes in only because another would like it, and what was fetched stays in the cache.
func dnfOptions() []string {
	return []string{"--setopt=exit_on_lock=True", "--setopt=installonly_limit=0", "--setopt=keepcache=True",
		"--setopt=install_weak_deps=False", "--setopt=clean_requirements_on_remove=False", "--setopt=skip_if_unavailable=False"}
}

// run calls dnf.
func (d dnfManager) run(ctx context.Context, limit time.Duration, args ...string) (Output, error) {
	argv := append(append([]string{"dnf"}, dnfOptions()...), args...)
	return d.s.Run(ctx, Command{Argv: argv, Timeout: limit, MaxOutput: rpmMaxOutput})
}

// query is a call that must succeed; it reads the package lists that are there.
func (d dnfManager) query(ctx context.Context, args ...string) (string, error) {
	out, err := d.run(ctx, dnfQueryLimit, append([]string{"-q", "-C"}, args...)...)
	if err != nil {
		return "", err
	}
	if out.Code != 0 {
		return "", dnfFailure(out)
	}
	return string(out.Stdout), nil
}

// dnfLocked is dnf's exit code when another has its locks.
const dnfLocked = 200

func dnfFailure(out Output) error {
	if out.Code == dnfLocked {
		return fmt.Errorf("dnf's lock %w: %s", ErrBusy, out.LastWords())
	}
	return fmt.Errorf("dnf failed (exit %d): %s", out.Code, out.LastWords())
}

// PlanPatch simulates.
func (d dnfManager) PlanPatch(ctx context.Context, wanted []Target) (PatchPlan, error) {
	if len(wanted) == 0 {
		return PatchPlan{}, nil
	}
	installed, err := rpmDatabase(d).packages(ctx)
	if err != nil {
		return PatchPlan{}, err
	}
	available, err := d.available(ctx, wanted)
	if err != nil {
		return PatchPlan{}, err
	}
	p := rpmPlanner{simulate: d.simulate, installed: installed, available: available}
	return p.run(ctx, wanted)
}

// available looks up all versions of the wanted packages: in the repositories, and those that
// were fetched and have left them since.
func (d dnfManager) available(ctx context.Context, wanted []Target) (map[Target]rpmAvailable, error) {
	args := []string{"--disableexcludes=all", "repoquery", "--available", "--qf", `%{name}\t%{arch}\t%{epoch}:%{version}-%{release}\t%{downloadsize}\t%{installsize}\n`, "--"}
	for _, t := range wanted {
		args = append(args, t.rpmName())
	}
	out, err := d.query(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot ask dnf for the versions it knows: %w", err)
	}
	found := map[Target]rpmAvailable{}
	for line := range strings.Lines(out) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) != 5 {
			continue
		}
		a := rpmAvailable{}
		a.download, _ = strconv.ParseInt(fields[3], 10, 64)
		a.size, _ = strconv.ParseInt(fields[4], 10, 64)
		found[rpmTarget(fields[0], fields[1], fields[2])] = a
	}
	for _, t := range wanted {
		if _, ok := found[t]; ok {
			continue
		}
		if _, fetched := d.locate(t); fetched {
			found[t] = rpmAvailable{fetchedOnly: true}
		}
	}
	return found, nil
}

// call runs dnf about exactly these versions. Those that no repository has any more go by the
// file that was fetched; all others by name, so that dnf checks them as their repository wants.
func (d dnfManager) call(ctx context.Context, limit time.Duration, wanted []Target, args ...string) (Output, error) {
	out, err := d.run(ctx, limit, slices.Concat(args, []string{"--"}, nevras(wanted))...)
	if err != nil || out.Code == 0 || !strings.Contains(string(out.Stderr), dnfNoMatch) {
		return out, err
	}
	available, err := d.available(ctx, wanted)
	if err != nil {
		return out, err
	}
	specs, changed := rpmDatabase(d).fetchedSpecs(wanted, available, d.locate, Target.nevra)
	if !changed {
		return out, nil
	}
	return d.run(ctx, limit, slices.Concat(args, []string{"--"}, specs)...)
}

// dnfNoMatch is how dnf says that it knows no such version; it has no exit code for that.
const dnfNoMatch = "Unable to find a match: "

// simulate asks what the installation of exactly these versions comes to.
func (d dnfManager) simulate(ctx context.Context, wanted []Target) (rpmTransaction, error) {
	out, err := d.call(ctx, dnfQueryLimit, wanted, "-C", "--assumeno", "install")
	if err != nil {
		return rpmTransaction{}, err
	}
	t := parseDnfTransaction(string(out.Stdout))
	if t.problem = parseDnfProblem(string(out.Stderr)); len(t.problem) > 0 {
		return t, nil
	}
	// Exit 1 is also the answer no, which is ours: then dnf has shown what it would do.
	if out.Code != 0 && (out.Code != 1 || len(t.changes)+len(t.removed) == 0) {
		return t, dnfFailure(out)
	}
	return t, nil
}

// dnfHeading tells what the packages below it are for: they come in, go, or neither.
func dnfHeading(line string) (in, out bool) {
	switch {
	case strings.HasPrefix(line, "Removing"):
		return false, true
	case strings.HasPrefix(line, "Installing"), strings.HasPrefix(line, "Upgrading"), strings.HasPrefix(line, "Downgrading"), strings.HasPrefix(line, "Reinstalling"):
		return true, false
	}
	return false, false
}

// parseDnfTransaction reads the table of a transaction: name, architecture, version, repository
// and size below headings. Columns that are too wide go on in the next line.
func parseDnfTransaction(out string) rpmTransaction {
	var t rpmTransaction
	var comes, goes bool
	var row []string
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\r\n ")
		if line == "" || line[0] != ' ' {
			comes, goes = dnfHeading(line)
			row = nil
			continue
		}
		words := strings.Fields(line)
		if words[0] == "replacing" && len(words) >= 2 && (comes || goes) {
			t.removed = append(t.removed, withoutArch(words[1]))
			continue
		}
		if row = append(row, words...); len(row) < 5 {
			continue
		}
		switch {
		case comes:
			t.changes = append(t.changes, rpmTarget(row[0], row[1], row[2]))
		case goes:
			t.removed = append(t.removed, row[0])
		}
		row = nil
	}
	t.removed = slices.DeleteFunc(t.removed, func(name string) bool { // dnf 5 also says so of the version before
		return slices.ContainsFunc(t.changes, func(c Target) bool { return c.rpmName() == name })
	})
	return t
}

func withoutArch(name string) string {
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		return name[:i]
	}
	return name
}

// parseDnfProblem reads what the solver complains about: the lines below "Problem", one step
// each, and versions that it does not find.
func parseDnfProblem(stderr string) []string {
	var chain []string
	inside := false
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(strings.ToValidUTF8(line, "?"))
		switch {
		case strings.HasPrefix(line, "Problem"):
			inside = true
			_, first, _ := strings.Cut(line, ": ")
			if first != "conflicting requests" && first != "" {
				chain = append(chain, first)
			}
		case inside && strings.HasPrefix(line, "- "):
			chain = append(chain, strings.TrimPrefix(line, "- "))
		case strings.HasPrefix(line, "Error: "+dnfNoMatch):
			chain = append(chain, strings.TrimPrefix(line, "Error: ")+": it is excluded or locked on this host, or in no repository")
		default:
			inside = inside && line == ""
		}
	}
	return capChain(chain)
}

// capChain bounds what a report carries.
func capChain(chain []string) []string {
	chain = chain[:min(len(chain), 12)]
	for i, link := range chain {
		chain[i] = strings.ToValidUTF8(link[:min(len(link), 300)], "")
	}
	return chain
}
