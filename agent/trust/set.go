package trust

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sync"
	"unicode/utf8"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies/patch"
)

// MaxGrants is how many patch cycles one lease may grant.
const MaxGrants = 16

var (
	rolloutName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\p{L}_][\p{L}\p{M}\p{Nd}_-]*$`) })
	digestForm  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{64}$`) })
	// itemWord is what a package manager may be told on its command line: never an option.
	itemWord = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+_~:^-]*$`) })
)

// Lengths are counted apart: as a number in a pattern they cost each start of the agent 9 ms.
const (
	maxRolloutName = 128 // characters
	maxItemWord    = 256 // bytes
)

func namesRollout(name string) bool {
	return utf8.RuneCountInString(name) <= maxRolloutName && rolloutName().MatchString(name)
}

// Grants returns the patch cycles of an accepted lease that can be looked at, and an error that
// says what is wrong with the others.
func Grants(l protocol.Lease) ([]protocol.PatchGrant, error) {
	var list []protocol.PatchGrant
	var errs []error
	for _, g := range l.Patches {
		switch {
		case !namesRollout(g.Rollout):
			errs = append(errs, fmt.Errorf("the lease grants a patch cycle of the rollout %.40q, which no rollout is called", g.Rollout))
		case g.Cycle == 0 || !digestForm().MatchString(g.Set):
			errs = append(errs, fmt.Errorf("the lease names no usable patch set for the rollout %s", g.Rollout))
		case slices.ContainsFunc(list, func(o protocol.PatchGrant) bool { return o.Rollout == g.Rollout }):
			errs = append(errs, fmt.Errorf("the lease grants two patch cycles of the rollout %s", g.Rollout))
		case len(list) == MaxGrants:
			errs = append(errs, fmt.Errorf("the lease grants %d patch cycles; %d are the most", len(l.Patches), MaxGrants))
			return list, errors.Join(errs...)
		default:
			list = append(list, g)
		}
	}
	return list, errors.Join(errs...)
}

// Set reads the patch set that an accepted lease grants for a rollout. The bytes must have the
// digest that the lease names, hold nothing that this agent does not know, be in order, and be
// of that rollout.
func Set(rollout, digest string, raw []byte) (patch.Set, error) {
	if got := inventory.Digest(raw); got != digest {
		return patch.Set{}, fmt.Errorf("the patch set has the digest %.12s, the lease says %.12s", got, digest)
	}
	set, err := ReadSet(raw)
	if err != nil {
		return patch.Set{}, err
	}
	if !slices.Equal(set.Items, set.Normal().Items) {
		return patch.Set{}, errors.New("the patch set is not in order, or names a version twice")
	}
	if set.Rollout != rollout {
		return patch.Set{}, fmt.Errorf("the patch set is one of the rollout %.40q, the lease gives it to %s", set.Rollout, rollout)
	}
	return set, nil
}

// ReadSet reads the JSON of one patch set, as strictly as one from a server.
func ReadSet(raw []byte) (patch.Set, error) {
	var set patch.Set
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&set); err != nil {
		return patch.Set{}, fmt.Errorf("cannot read the patch set: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return patch.Set{}, errors.New("cannot read the patch set: something follows it")
	}
	if !namesRollout(set.Rollout) {
		return patch.Set{}, fmt.Errorf("the patch set is one of the rollout %.40q, which no rollout is called", set.Rollout)
	}
	for _, item := range set.Items {
		if err := checkItem(item); err != nil {
			return patch.Set{}, err
		}
	}
	return set, nil
}

// checkItem keeps words from a package manager that it could take for options.
func checkItem(i patch.Item) error {
	words := []string{i.Manager, i.Package, i.Version}
	for _, may := range []string{i.Source, i.Arch} {
		if may != "" {
			words = append(words, may)
		}
	}
	for _, word := range words {
		if len(word) > maxItemWord || !itemWord().MatchString(word) {
			return fmt.Errorf("the patch set holds %.60q, which is no name, version or architecture", word)
		}
	}
	return nil
}
