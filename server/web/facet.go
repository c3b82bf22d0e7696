package web

import (
	"net/url"
	"slices"
	"strings"

	"plumb/policies"
	"plumb/server/views"
)

// facet is a question by which hosts are told apart, with the choices that there are.
type facet struct {
	Title string
	// Status is true when the values are statuses.
	Status bool
	// Values are those that are open, Rest those that are folded away.
	Values, Rest []option
}

// option is one choice; a chosen one leads back.
type option struct {
	Value, Words string
	Count        int
	Link         string
	Chosen       bool
}

const (
	// facetsOpen and valuesOpen are how much is shown at once, valuesMost how much at all: a label
	// that is another one on each host tells nobody apart.
	facetsOpen = 9
	valuesOpen = 6
	valuesMost = 40
)

// facets makes them of what was counted: those that can narrow the list, or that do.
func facets(counted []views.Facet, q url.Values) (open, more []facet) {
	var list []facet
	for _, one := range counted {
		if one.Chosen == "" && (len(one.Values) < 2 && one.Name != views.FacetState || len(one.Values) > valuesMost) {
			continue
		}
		f := facet{Title: facetTitle(one.Name), Status: one.Name == views.FacetStatus}
		for _, v := range one.Values {
			f.Values = append(f.Values, optionOf(one, v, q))
		}
		// The chosen one first, so that it is never folded away.
		slices.SortStableFunc(f.Values, func(a, b option) int { return number(b.Chosen) - number(a.Chosen) })
		if len(f.Values) > valuesOpen+1 && !f.Status {
			f.Values, f.Rest = f.Values[:valuesOpen], f.Values[valuesOpen:min(len(f.Values), valuesMost)]
		}
		list = append(list, f)
	}
	cut := min(len(list), facetsOpen)
	return list[:cut], list[cut:]
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

func optionOf(f views.Facet, v views.FacetCount, q url.Values) option {
	one := option{Value: v.Value, Words: facetWords(f.Name, v.Value), Count: v.Count, Chosen: v.Value == f.Chosen}
	to := without(q, parameter(f.Name, f.Chosen))
	if !one.Chosen {
		p := parameter(f.Name, v.Value)
		to.Add(p.Name, p.Value)
	}
	one.Link = link("/hosts", to, "")
	return one
}

// without is the address with one value of one parameter taken out.
func without(q url.Values, p pair) url.Values {
	to := url.Values{}
	for name, values := range q {
		for _, value := range values {
			if name != p.Name || value != p.Value {
				to.Add(name, value)
			}
		}
	}
	return to
}

func facetTitle(name string) string {
	switch {
	case name == views.FacetOS:
		return "System"
	case name == views.FacetState:
		return "Worth knowing"
	case name == views.FacetRing+"releases":
		return "Ring"
	case strings.HasPrefix(name, views.FacetRing):
		return "Ring of " + strings.TrimPrefix(name, views.FacetRing)
	case strings.HasPrefix(name, views.FacetLabel):
		return strings.TrimPrefix(name, views.FacetLabel)
	}
	return sentence(name)
}

// facetWords is a value as people say it.
func facetWords(facet, value string) string {
	switch facet {
	case views.FacetStatus:
		return views.Words(policies.Status(value))
	case views.FacetRelease:
		return "release " + value
	case views.FacetState:
		return stateWords(value)
	}
	return value
}

func stateWords(state string) string {
	words := map[string]string{"mismatch": "another catalog", "problem": "refused a release", "paused": "paused", "expired": "lease ran out",
		"audit": "audit only", "flapping": "flapping", "revoked": "revoked"}
	if w := words[state]; w != "" {
		return w
	}
	return state
}

// chips are the filters of an address, each with the way to take it out.
func chips(q url.Values) []chip {
	var list []chip
	for _, name := range []string{"q", "status", "state", "group", "release", "os", "ring", "label", "revoked"} {
		for _, value := range q[name] {
			list = append(list, chip{chipWords(name, value), link("/hosts", without(q, pair{name, value}), "")})
		}
	}
	return list
}

func chipWords(name, value string) string {
	switch name {
	case "q":
		return "contains " + value
	case "revoked":
		return "revoked too"
	case "label":
		return value
	case "ring", "group":
		return name + " " + value
	case "os":
		return value
	}
	return facetWords(name, value)
}

// heads are the heads of the columns.
func heads(q url.Values) []head {
	now := q.Get("sort")
	if now == "" {
		now = "name"
	}
	var list []head
	for _, one := range []struct{ by, words, sorted string }{
		{"name", "Host", "ascending"}, {"status", "Status", "descending"}, {"since", "Since", "descending"}, {"seen", "Last seen", "ascending"},
	} {
		to := without(q, pair{"sort", q.Get("sort")})
		if one.by != "name" {
			to.Set("sort", one.by)
		}
		h := head{Words: one.words, Link: link("/hosts", to, "")}
		if one.by == now {
			h.Sorted = one.sorted
		}
		list = append(list, h)
	}
	return list
}

// sorted keeps of an address how the list is sorted.
func sorted(q url.Values) url.Values {
	to := url.Values{}
	for _, name := range []string{"sort", "as_of"} {
		if value := q.Get(name); value != "" {
			to.Set(name, value)
		}
	}
	return to
}

// kept are the parameters that a search does not have a field for.
func kept(q url.Values) []pair {
	var list []pair
	for _, name := range []string{"status", "state", "group", "release", "os", "ring", "label", "sort", "as_of"} {
		for _, value := range q[name] {
			list = append(list, pair{name, value})
		}
	}
	return list
}
