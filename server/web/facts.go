package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// factGroup is a part of a host's facts that is shown together.
type factGroup struct {
	// Name is the fact that holds these, such as packages; empty for single facts.
	Name string
	Rows []factRow
}

// factRow is one fact as policies name it, without the fact. in front.
type factRow struct {
	Path  string
	Value string
}

// largeFact is from how many rows on a fact gets a group of its own.
const largeFact = 8

// factGroups puts single and small facts first, then each large one by itself. Facts that
// are no JSON object are not shown: there are none yet.
func factGroups(raw json.RawMessage) []factGroup {
	var tree map[string]any
	if json.Unmarshal(raw, &tree) != nil {
		return nil
	}
	single := factGroup{}
	var large []factGroup
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		rows := flatten(name, tree[name])
		if len(rows) < largeFact {
			single.Rows = append(single.Rows, rows...)
			continue
		}
		large = append(large, factGroup{Name: name, Rows: rows})
	}
	if len(single.Rows) == 0 {
		return large
	}
	return append([]factGroup{single}, large...)
}

// flatten makes one row of each leaf. Lists of plain values stay together.
func flatten(path string, value any) []factRow {
	switch v := value.(type) {
	case map[string]any:
		var rows []factRow
		for _, key := range slices.Sorted(maps.Keys(v)) {
			rows = append(rows, flatten(path+"."+key, v[key])...)
		}
		return rows
	case []any:
		parts := make([]string, 0, len(v))
		for _, one := range v {
			parts = append(parts, plain(one))
		}
		return []factRow{{path, strings.Join(parts, ", ")}}
	}
	return []factRow{{path, plain(value)}}
}

func plain(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case nil:
		return "null"
	case float64, bool:
		return fmt.Sprint(v)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}
