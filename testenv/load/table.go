package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// table is what is printed at the end.
type table struct{ rows [][]string }

func (t *table) add(work, plumb, bare, ratio, goal string) {
	t.rows = append(t.rows, []string{work, plumb, bare, ratio, goal})
}

func (t *table) print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WORK\tPLUMB\tBARE\tRATIO\tGOAL")
	for _, row := range t.rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush()
}

// median of some measurements; of an even number the lower one.
func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[(len(sorted)-1)/2]
}

func perSecond(rate float64) string { return fmt.Sprintf("%.0f/s", rate) }
