package views

import (
	"encoding/json"
	"slices"
)

// HostSet is names of hosts. Sets share the lists that they are made of: a large fleet has few lists of hosts that are
// alike, and much to say about each of them. No name is in two lists of a set.
type HostSet struct{ lists []*[]string }

// HostsNamed is the set of these names.
func HostsNamed(names ...string) HostSet { return HostSet{[]*[]string{&names}} }

// with adds a list that the set has not got yet.
func (s HostSet) with(list *[]string) HostSet { return HostSet{append(s.lists, list)} }

// Len counts the names.
func (s HostSet) Len() int {
	n := 0
	for _, list := range s.lists {
		n += len(*list)
	}
	return n
}

// Names are the names, sorted.
func (s HostSet) Names() []string {
	all := make([]string, 0, s.Len())
	for _, list := range s.lists {
		all = append(all, *list...)
	}
	slices.Sort(all)
	return all
}

// Equal tells whether both have the same names.
func (s HostSet) Equal(other HostSet) bool { return slices.Equal(s.Names(), other.Names()) }

// MarshalJSON writes the sorted names.
func (s HostSet) MarshalJSON() ([]byte, error) { return json.Marshal(s.Names()) }

// UnmarshalJSON reads them.
func (s *HostSet) UnmarshalJSON(raw []byte) error {
	var names []string
	if err := json.Unmarshal(raw, &names); err != nil {
		return err
	}
	*s = HostsNamed(names...)
	return nil
}
