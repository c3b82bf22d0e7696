package views

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"plumb/policies"
)

// RollFilter selects hosts of a roll. Zero fields select all that are not revoked.
type RollFilter struct {
	// Text has words that must all occur in the name, the labels or the facts, in any letter case.
	Text string
	// Choices has the wanted value of facets, by name.
	Choices map[string]string
	// Revoked adds the hosts that were revoked, as does the choice of that state.
	Revoked bool
	// Sort is name, status (the worst first), since (what changed last first) or seen (the longest
	// silent first); anything else is name.
	Sort string
	// After is the Next of the page before; Limit the most hosts to return.
	After string
	Limit int
}

// RollPage is a part of a roll.
type RollPage struct {
	Hosts []Host
	// Total counts all that the filter selects, on this page and others.
	Total int
	// Next is where the next page begins, empty on the last one.
	Next string
	// Facets say how many hosts each other choice would select.
	Facets []Facet
}

// Facet is a question by which hosts are told apart.
type Facet struct {
	// Name is status, state, release, os, ring:ROLLOUT or label:KEY.
	Name string
	// Chosen is the value that the filter asks for.
	Chosen string
	// Values are those that occur among the hosts which all the rest of the filter selects, and
	// the chosen one.
	Values []FacetCount
}

// FacetCount is a value and how many hosts have it.
type FacetCount struct {
	Value string
	Count int
}

// Page selects hosts, and counts what each other choice would select: a facet's own choice does
// not narrow what is counted for it.
func (roll *Roll) Page(f RollFilter) RollPage {
	if sorts()[f.Sort] == nil {
		f.Sort = "name"
	}
	s := roll.search(f)
	page := RollPage{Hosts: []Host{}}
	counts := make([][]int, len(roll.facets))
	for i, one := range roll.facets {
		counts[i] = make([]int, len(one.values))
	}
	from, last, number := cursorOf(f.After), cursor{}, sorts()[f.Sort]
	for _, i := range roll.orders[f.Sort]() {
		row := &roll.rows[i]
		if !s.meets(row, counts) {
			continue
		}
		page.Total++
		here := cursor{number(row), row.name, string(row.id)}
		if f.After != "" && !from.before(here) {
			continue
		}
		if len(page.Hosts) == f.Limit {
			page.Next = last.String()
			continue
		}
		page.Hosts, last = append(page.Hosts, row.host()), here
	}
	page.Facets = roll.counted(f, counts)
	return page
}

// search is a filter made ready for one roll.
type search struct {
	words   []string
	revoked bool
	// wanted has the wanted value of each facet; anything and nobody stand for no choice, and for
	// a value that no host has.
	wanted []int32
	// choices counts them, those of facets that nobody has included.
	choices int
}

const (
	anything = -1
	nobody   = -2
)

func (roll *Roll) search(f RollFilter) search {
	s := search{words: strings.Fields(strings.ToLower(f.Text)), revoked: f.Revoked || f.Choices[FacetState] == "revoked", choices: len(f.Choices), wanted: make([]int32, len(roll.facets))}
	for i, one := range roll.facets {
		s.wanted[i] = anything
		if value, chosen := f.Choices[one.name]; chosen {
			s.wanted[i] = nobody
			if v, known := one.number[value]; known {
				s.wanted[i] = v
			}
		}
	}
	return s
}

// meets tells whether the filter selects a host, and counts it for each facet of which all other
// choices select it.
func (s search) meets(row *rollRow, counts [][]int) bool {
	if row.revoked != 0 && !s.revoked || !row.holds(s.words) {
		return false
	}
	met := 0
	for _, one := range row.values {
		if s.wanted[one.facet] == one.value {
			met++
		}
	}
	lacking := s.choices - met
	if lacking > 1 {
		return false
	}
	for _, one := range row.values {
		if lacking == 0 || s.wanted[one.facet] != anything && !s.met(row, one.facet) {
			counts[one.facet][one.value]++
		}
	}
	return lacking == 0
}

// met tells whether a host has the wanted value of a facet.
func (s search) met(row *rollRow, facet int32) bool {
	return slices.Contains(row.values, facetValue{facet, s.wanted[facet]})
}

// holds tells whether all the words occur.
func (row *rollRow) holds(words []string) bool {
	for _, word := range words {
		if !strings.Contains(row.lower, word) && !strings.Contains(row.labels.text, word) && !strings.Contains(row.words, word) {
			return false
		}
	}
	return true
}

func (roll *Roll) counted(f RollFilter, counts [][]int) []Facet {
	list := []Facet{}
	for i, one := range roll.facets {
		facet := Facet{Name: one.name, Chosen: f.Choices[one.name], Values: []FacetCount{}}
		for v, name := range one.values {
			if counts[i][v] > 0 || name == facet.Chosen {
				facet.Values = append(facet.Values, FacetCount{name, counts[i][v]})
			}
		}
		slices.SortFunc(facet.Values, facetOrder(one.name))
		if len(facet.Values) > 0 {
			list = append(list, facet)
		}
	}
	slices.SortStableFunc(list, func(a, b Facet) int { return cmp.Compare(a.rank(), b.rank()) })
	return list
}

// rank puts rings and labels behind the others, by name.
func (f Facet) rank() string {
	switch {
	case strings.HasPrefix(f.Name, FacetRing):
		return "1" + f.Name
	case strings.HasPrefix(f.Name, FacetLabel):
		return "2" + f.Name
	}
	return "0"
}

// facetOrder sorts statuses from the worst, releases from the newest, and others by how many have them.
func facetOrder(facet string) func(a, b FacetCount) int {
	return func(a, b FacetCount) int {
		switch facet {
		case FacetStatus:
			return cmp.Compare(policies.Status(b.Value).Rank(), policies.Status(a.Value).Rank())
		case FacetRelease:
			return cmp.Or(cmp.Compare(len(b.Value), len(a.Value)), strings.Compare(b.Value, a.Value))
		}
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
	}
}

// cursor is the place of a host in a sorted list.
type cursor struct {
	number   int64
	name, id string
}

func (c cursor) String() string {
	if c.number == 0 {
		return c.name + " " + c.id
	}
	return c.name + " " + c.id + " " + strconv.FormatInt(c.number, 10)
}

// cursorOf reads one; a bare name stands for the hosts of that name.
func cursorOf(text string) cursor {
	parts := strings.SplitN(text, " ", 3)
	c := cursor{name: parts[0], id: "\xff"}
	if len(parts) > 1 {
		c.id = parts[1]
	}
	if len(parts) > 2 {
		n, err := strconv.ParseInt(parts[2], 10, 64)
		if err == nil {
			c.number = n
		}
	}
	return c
}

func (c cursor) before(other cursor) bool {
	return cmp.Or(cmp.Compare(c.number, other.number), strings.Compare(c.name, other.name), strings.Compare(c.id, other.id)) < 0
}
