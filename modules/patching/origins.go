package patching

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"plumb/inventory"
	"plumb/modules/system"
	"plumb/policies/patch"
)

// origins is what the host's own package lists say of versions: one offer for each repository
// that has it. A version that was asked for and that no repository has is there with none.
type origins map[system.Target][]inventory.Offer

// keptOrigins is what was found, and from what.
type keptOrigins struct {
	Key  string   `json:"key"`
	List []origin `json:"list"`
}

type origin struct {
	Target system.Target     `json:"target"`
	Offers []inventory.Offer `json:"offers"`
}

// origins asks where versions come from. What a set says of that is not asked for: a stolen server
// may say that a version of any repository is one of an approved repository. The answer is kept
// while neither the lists nor the question changes.
func (m *Machine) origins(ctx context.Context, key string, list []system.Target) (origins, error) {
	if len(list) == 0 {
		return origins{}, nil
	}
	if found, ok := m.shelf.loadOrigins(key, list); ok {
		return found, nil
	}
	found, err := m.listed(ctx, list)
	if err == nil {
		m.shelf.saveOrigins(key, list, found)
	}
	return found, err
}

func (m *Machine) listed(ctx context.Context, list []system.Target) (origins, error) {
	told, err := m.manager.Origins(ctx, list)
	if err != nil {
		return nil, fmt.Errorf("cannot tell which repositories have the updates: %w", err)
	}
	found := origins{}
	for _, t := range list {
		found[t] = told[t]
	}
	return found, nil
}

// learn adds the origins of versions that were not asked for yet.
func (m *Machine) learn(ctx context.Context, s stock, list []system.Target) error {
	list = slices.DeleteFunc(slices.Clone(list), func(t system.Target) bool {
		_, known := s.origins[t]
		return known
	})
	if len(list) == 0 {
		return nil
	}
	more, err := m.listed(ctx, list)
	for t, offers := range more {
		s.origins[t] = offers
	}
	return err
}

// offersOf is what the host's own lists say of a version.
func (s stock) offersOf(t system.Target) []inventory.Offer {
	if own := s.origins[t]; len(own) > 0 {
		return own
	}
	if o, ok := s.candidate(t); ok && o.Candidate == t.Version {
		return []inventory.Offer{o}
	}
	return nil
}

// weigh tells whether the host's baseline wants an update of the set. It is judged by what the
// host's own lists say of the version. Where they do not have it, or only in repositories of
// which the baseline takes nothing, it is wanted as far as the set's word for it goes, and
// has no source: such an update never comes in, and it is told.
func (m *Machine) weigh(w want, claim inventory.Offer, own []inventory.Offer) (want, bool) {
	waits := false
	for _, o := range own {
		switch m.judge(o) {
		case patch.Approved:
			w.offer, w.sourced = o, true
		case patch.NotApplicable:
			w.elsewhere = append(w.elsewhere, o.Repository())
		case patch.Waiting:
			waits = true
		default:
			return w, false
		}
	}
	if w.sourced || waits {
		return w, w.sourced
	}
	w.offer = claim
	return w, m.judge(claim) == patch.Approved
}

func (m *Machine) judge(o inventory.Offer) patch.State {
	return patch.Judge(m.ruleless(), o, m.now(), nil, m.now()).State
}

// sourceless are the wanted versions that no source of the baseline has on this host.
func (d *draft) sourceless() []system.Target {
	var list []system.Target
	for _, w := range d.wants {
		if !w.sourced {
			list = append(list, w.target)
		}
	}
	return list
}

// strange says which repositories have a version, though the baseline takes nothing from them.
func (w want) strange() string {
	return fmt.Sprintf("on this host only %s has it, of which the baseline takes nothing", strings.Join(w.elsewhere, ", "))
}

func (s shelf) originsFile() string {
	return filepath.Join(s.dir, "origins-"+inventory.Digest([]byte(s.rollout))[:16]+".json")
}

func (s shelf) loadOrigins(key string, list []system.Target) (origins, bool) {
	raw, err := os.ReadFile(s.originsFile())
	if err != nil {
		return nil, false
	}
	var kept keptOrigins
	if err := json.Unmarshal(raw, &kept); err != nil || kept.Key != key || len(kept.List) != len(list) {
		return nil, false
	}
	found := origins{}
	for i, one := range kept.List {
		if one.Target != list[i] {
			return nil, false
		}
		found[one.Target] = one.Offers
	}
	return found, true
}

// saveOrigins only saves time: that it fails is no loss.
func (s shelf) saveOrigins(key string, list []system.Target, found origins) {
	kept := keptOrigins{Key: key}
	for _, t := range list {
		kept.List = append(kept.List, origin{t, found[t]})
	}
	s.keep(s.originsFile(), kept)
}
