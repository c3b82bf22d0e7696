package lang

import (
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"plumb/inventory"
	"plumb/policies"
)

// patching reads what says how hosts patch. A rollout of patches always has a word for it, so
// that nobody who reads one has to know what goes without saying.
func (l *loader) patching(r *rollout, exprs map[string]hclsyntax.Expression) {
	r.Conffiles = l.oneOf(exprs["conffiles"], "keep", "new", "hold")
	r.Superseded = l.oneOf(exprs["superseded"], "wait", "newest")
	r.Rollback = l.oneOf(exprs["rollback"], "downgrade", "snapshot", "none")
	if e := exprs["kernels"]; e != nil {
		kernels := l.number(e, 0, 100)
		r.Kernels = &kernels
	}
	l.forPatches(r, exprs, "conffiles", "superseded", "rollback", "kernels")
	if r.Baseline() != "" {
		r.Conffiles, r.Superseded, r.Rollback = otherwise(r.Conffiles, "keep"), otherwise(r.Superseded, "wait"), otherwise(r.Rollback, "downgrade")
	}
}

func otherwise(word, usual string) string {
	if word == "" {
		return usual
	}
	return word
}

// patchPart reads a block that only means something where patches are carried.
func (l *loader) patchPart(r *rollout, block *hcl.Block) {
	before := len(l.diags)
	switch block.Type {
	case "preflight":
		l.preflight(r, block)
	case "hooks":
		r.Hooks = l.hooks(block)
	case "probe":
		l.probe(r, block)
	case "emergency":
		l.emergency(r, block)
	}
	if r.Carries == policies.CarriesReleases && !l.diags[before:].HasErrors() {
		l.report(onlyForPatches(block.DefRange, "The block "+block.Type))
	}
}

// forPatches warns of arguments that nothing acts on where releases are carried: nobody shall
// rely on them.
func (l *loader) forPatches(r *rollout, exprs map[string]hclsyntax.Expression, names ...string) {
	if r.Carries != policies.CarriesReleases {
		return
	}
	for _, name := range names {
		e := exprs[name]
		if e == nil {
			continue
		}
		wrong := func(d *hcl.Diagnostic) bool {
			return d.Subject != nil && d.Subject.Filename == e.Range().Filename && e.Range().Overlaps(*d.Subject)
		}
		if !slices.ContainsFunc(l.diags, wrong) {
			l.report(onlyForPatches(e.Range(), "The argument "+name))
		}
	}
}

func onlyForPatches(at hcl.Range, what string) *hcl.Diagnostic {
	d := failure(at, "Only for patches", what+" is about patching, and nothing acts on it in a rollout that carries releases. "+
		"Take it out, or put it into a rollout with carries = patch_baseline.NAME.")
	d.Severity = hcl.DiagWarning
	return d
}

func (l *loader) preflight(r *rollout, block *hcl.Block) {
	content := l.content(block.Body, []string{"min_free"})
	r.MinFree, r.minFree = map[string]string{}, map[string]int64{}
	sizes := l.object(content.Attributes["min_free"])
	for _, name := range sortedKeys(sizes) {
		if !path.IsAbs(name) || path.Clean(name) != name {
			l.report(failure(sizes[name].at, "Unusable path", fmt.Sprintf(`%q is no folder of a host. Write it from the root on, without a slash at its end, such as "/" or "/boot".`, name)))
		}
		r.MinFree[name], r.minFree[name] = l.size(sizes[name].expr)
	}
}

var sizeForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([0-9]{1,15})(B|KiB|MiB|GiB|TiB)$`) })

// size reads bytes from constant text such as 200MiB.
func (l *loader) size(e hclsyntax.Expression) (string, int64) {
	word, ok := l.constant(e)
	if !ok {
		return "", 0
	}
	units := map[string]int64{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
	if m := sizeForm().FindStringSubmatch(word); m != nil {
		n, err := strconv.ParseInt(m[1], 10, 64)
		if unit := units[m[2]]; err == nil && n <= math.MaxInt64/unit {
			return word, n * unit
		}
	}
	l.report(failure(e.Range(), "Unusable size", fmt.Sprintf(`%q is not a size. Write a whole number with B, KiB, MiB, GiB or TiB behind it, such as "1GiB" or "200MiB".`, word)))
	return word, 0
}

func (l *loader) hooks(block *hcl.Block) *policies.Hooks {
	h := &policies.Hooks{}
	fields := map[string]*[]string{"before": &h.Before, "drain": &h.Drain, "undrain": &h.Undrain, "after": &h.After,
		"snapshot": &h.Snapshot, "restore": &h.Restore, "discard": &h.Discard}
	exprs := expressions(l.content(block.Body, sortedKeys(fields)))
	for _, name := range sortedKeys(exprs) {
		*fields[name] = l.argv(exprs[name])
	}
	l.comesWith(exprs, "drain", "undrain", "A host that is drained has to be put back: a drain hook comes with an undrain hook.")
	for _, name := range []string{"restore", "discard"} {
		l.comesWith(exprs, name, "snapshot", fmt.Sprintf("There is nothing to %s without a snapshot hook that makes it.", name))
	}
	return h
}

func (l *loader) comesWith(exprs map[string]hclsyntax.Expression, name, wanted, why string) {
	if exprs[name] != nil && exprs[wanted] == nil {
		l.report(failure(exprs[name].Range(), "Incomplete hooks", fmt.Sprintf("%s Add %s = [\"/path/to/command\"], or take %s out.", why, wanted, name)))
	}
}

// snapshotKnown reports a way back that nobody paved.
func (l *loader) snapshotKnown(r *rollout, e hclsyntax.Expression) {
	if r.Rollback == "snapshot" && (r.Hooks == nil || r.Hooks.Snapshot == nil || r.Hooks.Restore == nil) {
		l.report(failure(e.Range(), "Rollback without a snapshot", "To go back to a snapshot a host has to know how one is made and restored. "+
			`Add hooks { snapshot = ["/path/to/command"], restore = ["/path/to/command"] } with one argument a line, or write rollback = "downgrade".`))
	}
}

// argv reads a command with its arguments. All is constant, so every host runs the same.
func (l *loader) argv(e hclsyntax.Expression) []string {
	list, ok := e.(*hclsyntax.TupleConsExpr)
	if !ok || len(list.Exprs) == 0 {
		l.report(failure(e.Range(), "Unusable command", `A command stands here with its arguments, each of them in quotes: ["/usr/local/sbin/drain", "--wait"]. No shell reads it.`))
		return nil
	}
	var argv []string
	for _, one := range list.Exprs {
		word, ok := l.constant(one)
		if ok && strings.ContainsRune(word, 0) {
			l.report(failure(one.Range(), "Unusable command", "An argument of a command cannot hold a NUL character."))
		}
		argv = append(argv, word)
	}
	return argv
}

// labelKey checks the name of a host label.
func (l *loader) labelKey(e hclsyntax.Expression, key string) {
	if key == "" {
		return // what is wrong was said
	}
	if err := inventory.CheckLabel(key, ""); err != nil {
		l.report(failure(e.Range(), "Unusable label", sentence(err)))
	}
}
