package patching

import (
	"encoding/json"
	"os"
	"path/filepath"

	"plumb/inventory"
)

// keptOffers is what was found on offer, and what it was found from.
type keptOffers struct {
	Key    string           `json:"key"`
	Offers inventory.Offers `json:"offers"`
}

func (s shelf) offersFile(manager string) string {
	return filepath.Join(s.dir, "offers-"+manager+".json")
}

func (s shelf) loadOffers(manager, key string) (inventory.Offers, bool) {
	raw, err := os.ReadFile(s.offersFile(manager))
	if err != nil {
		return inventory.Offers{}, false
	}
	var kept keptOffers
	if err := json.Unmarshal(raw, &kept); err != nil || kept.Key != key {
		return inventory.Offers{}, false
	}
	return kept.Offers, true
}

// saveOffers only saves time: that it fails is no loss.
func (s shelf) saveOffers(manager, key string, found inventory.Offers) {
	s.keep(s.offersFile(manager), keptOffers{Key: key, Offers: found})
}

func (s shelf) keep(path string, what any) {
	raw, err := json.Marshal(what)
	if err != nil || os.MkdirAll(s.dir, 0o700) != nil {
		return
	}
	if os.WriteFile(path+".new", raw, 0o600) == nil {
		_ = os.Rename(path+".new", path)
	}
}
