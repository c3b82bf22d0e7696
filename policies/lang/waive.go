package lang

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"plumb/policies"
)

// waive writes down, for each instance of the host, which exceptions are for it. An instance that
// another declaration was merged into takes what is said of that one, too.
func (r *run) waive() {
	for _, name := range sortedKeys(r.cfg.waivers) {
		w := r.cfg.waivers[name]
		if w.appliesTo != nil && !r.condition(w.appliesTo, nil, "The applies_to of a waiver") {
			continue
		}
		for _, i := range r.instances {
			if i.into != nil && !i.merged || !r.covers(w, i) {
				continue
			}
			held := i.held()
			held.Waivers = unique(append(held.Waivers, name))
		}
	}
}

// covers tells whether a waiver is for an instance.
func (r *run) covers(w *waiver, i *instance) bool {
	for _, one := range w.controls {
		if slices.Contains(i.Controls, one.name) {
			return true
		}
	}
	return slices.ContainsFunc(w.refs, func(ref reference) bool {
		return ref.target(&policy{}) == i.from.block && (ref.key == nil || i.Address == i.from.block+keyText(r.eval(ref.key, nil)))
	})
}

// waivers returns those that resources of a catalog name, nil when there are none.
func (r *run) waivers(list []policies.Resource) map[string]policies.Waiver {
	var named map[string]policies.Waiver
	for _, one := range list {
		for _, name := range one.Waivers {
			if named == nil {
				named = map[string]policies.Waiver{}
			}
			named[name] = r.cfg.waivers[name].Waiver
		}
	}
	return named
}

// waiversKnown checks the conditions of waivers, and reports those for what nobody declares.
func (r *run) waiversKnown() {
	all := r.cfg.blocksByAddress()
	controls, sure := r.allControls()
	for _, name := range sortedKeys(r.cfg.waivers) {
		w := r.cfg.waivers[name]
		if w.appliesTo != nil {
			r.condition(w.appliesTo, nil, "The applies_to of a waiver")
		}
		for _, ref := range w.refs {
			r.report(ref.waivable(all)...)
		}
		for _, one := range w.controls {
			if sure && !slices.Contains(controls, one.name) {
				r.report(failure(one.at, "Unknown control", fmt.Sprintf("No resource is evidence for %q.%s The controls argument of resources says what they are evidence for.",
					one.name, suggest(one.name, controls))))
			}
		}
	}
}

func (c *Config) blocksByAddress() map[string]*resource {
	all := map[string]*resource{}
	for _, p := range c.policies {
		for _, one := range p.resources {
			all[one.block] = one
		}
	}
	return all
}

// allControls lists what resources are evidence for; it is false when that depends on the host.
func (r *run) allControls() (list []string, sure bool) {
	sure = true
	for _, p := range r.cfg.policies {
		for _, one := range p.resources {
			found := false
			for _, i := range r.byBlock[one.block] {
				found = found || len(i.Controls) > 0
				list = append(list, i.Controls...)
			}
			sure = sure && (found || one.meta["controls"] == nil)
		}
	}
	return unique(list), sure
}

// waivable reports what is wrong with the resource that a waiver names.
func (ref reference) waivable(all map[string]*resource) hcl.Diagnostics {
	address := ref.target(&policy{})
	target := all[address]
	switch {
	case ref.policy == "":
		short, detail := strings.TrimPrefix(address, "policy.."), "A waiver stands outside of policies, so it names a resource with its policy: policy.NAME."
		for _, known := range sortedKeys(all) {
			if strings.HasSuffix(known, "."+short) {
				return hcl.Diagnostics{failure(ref.at, "Unknown resource", detail+short+". Did you mean "+known+"?")}
			}
		}
		return hcl.Diagnostics{failure(ref.at, "Unknown resource", detail+short+".")}
	case target == nil:
		detail := fmt.Sprintf("No policy declares %s.", address)
		if best := nearest(address, sortedKeys(all)); best != "" {
			detail += fmt.Sprintf(" Did you mean %s?", best)
		}
		return hcl.Diagnostics{failure(ref.at, "Unknown resource", detail)}
	case ref.key != nil && target.meta["for_each"] == nil && target.meta["count"] == nil:
		return hcl.Diagnostics{failure(ref.at, "Unknown instance", fmt.Sprintf("%s has neither for_each nor count, so it is one resource. Take the key out.", address))}
	}
	return nil
}
