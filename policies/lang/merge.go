package lang

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"plumb/policies"
)

// merge settles which declaration holds where several policies declare the same thing.
func (r *run) merge() {
	type thing struct{ kind, identity string }
	first, all := make(map[thing]*instance, len(r.instances)), map[*instance][]*instance{}
	for _, i := range r.instances {
		if i.Check || i.typed == nil || i.typed.Identity() == "" {
			continue
		}
		what := thing{i.Kind, i.typed.Identity()}
		if one := first[what]; one != nil { // few things are declared twice
			all[one] = append(all[one], i)
		} else {
			first[what] = i
		}
	}
	for _, i := range r.instances {
		if others := all[i]; others != nil {
			r.settle(append([]*instance{i}, others...))
		}
	}
}

// settle keeps the declaration of the highest priority. Equal ones are merged into it, those
// of lower priority that differ are overridden, and a difference between equals is a mistake.
func (r *run) settle(all []*instance) {
	slices.SortStableFunc(all, func(a, b *instance) int {
		return cmp.Or(-cmp.Compare(a.priority, b.priority), comparePlace(a.Source, b.Source))
	})
	kept := all[0]
	for _, other := range all[1:] {
		switch {
		case bytes.Equal(kept.Attributes, other.Attributes):
			kept.absorb(other)
		case other.priority < kept.priority:
			kept.Overrides = append(kept.Overrides, other.Source)
		default:
			r.report(failure(other.from.at, "Conflicting declarations", conflict(kept, other)))
		}
		other.into = kept
	}
}

func comparePlace(a, b policies.Position) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
}

func conflict(a, b *instance) string {
	thing := strconv.Quote(b.typed.Identity())
	if len(a.Sensitive)+len(b.Sensitive) > 0 {
		thing = "with a sensitive attribute"
	}
	what := fmt.Sprintf("The %s %s is declared here as %s, and otherwise at %s:%d as %s.", b.Kind, thing, b.Address, a.Source.File, a.Source.Line, a.Address)
	if a.Policy == b.Policy {
		return what + " Both stand in the same policy: take one of them out."
	}
	return what + fmt.Sprintf(" Make them equal, see to it that only one of the policies %q and %q applies to this host, or give one of them a higher priority.", a.Policy, b.Policy)
}

// absorb takes what an equal declaration adds.
func (i *instance) absorb(other *instance) {
	i.AlsoDeclared = append(i.AlsoDeclared, other.Source)
	i.Controls = unique(append(i.Controls, other.Controls...))
	i.Tags = unique(append(i.Tags, other.Tags...))
	i.Sensitive = unique(append(i.Sensitive, other.Sensitive...))
	if other.priority == i.priority {
		i.restrict(other)
	}
	other.merged = true
}

// restrict takes what an equal of the same rank says about whether and when: audit beats
// enforce, and windows beat none.
func (i *instance) restrict(other *instance) {
	if other.Mode == policies.Audit {
		i.Mode = policies.Audit
	}
	i.Window = unique(slices.Concat(i.Window, other.Window))
}

// held is the instance that stands for this one in the catalog.
func (i *instance) held() *instance {
	if i.into != nil {
		return i.into
	}
	return i
}
