package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// detail and drift are the parts of plumb's JSON that the demo reads.
type detail struct {
	Resources []struct {
		Address  string   `json:"address"`
		Title    string   `json:"title"`
		Status   string   `json:"status"`
		Controls []string `json:"controls"`
		Message  string   `json:"message"`
	} `json:"resources"`
}

type drift struct {
	Repairs []struct {
		Host    string `json:"host"`
		Address string `json:"address"`
		Kind    string `json:"kind"`
		Cause   string `json:"cause"`
	} `json:"repairs"`
}

// control is one requirement and how the resources that are evidence for it stand.
type control struct {
	id, title string
	statuses  []string
}

// worstFirst is the order in which statuses decide about a control.
var worstFirst = []string{"error", "noncompliant", "missing", "unknown", "skipped", "pending", "compliant", "repaired", "not_applicable"}

func (c control) status() string {
	for _, s := range worstFirst {
		if slices.Contains(c.statuses, s) {
			return s
		}
	}
	return "unknown"
}

var marks = map[string]string{"compliant": "\033[32m✔\033[0m", "repaired": "\033[32m✔\033[0m", "noncompliant": "\033[31m✘\033[0m",
	"error": "\033[31m!\033[0m", "not_applicable": "–", "unknown": "\033[33m?\033[0m"}

func printCompliance(d detail, took time.Duration) error {
	controls := gather(d)
	if len(controls) == 0 {
		return errors.New("no control was judged")
	}
	counts := map[string]int{}
	for _, c := range controls {
		s := c.status()
		counts[s]++
		fmt.Printf("   %s %-16s %-14s %s\n", marks[s], c.id, strings.ReplaceAll(s, "_", " "), c.title)
	}
	fmt.Printf("   %d controls: %d met, %d not met, %d not applicable, %d cannot be told here%s  [%.1f s after the start]\n",
		len(controls), counts["compliant"]+counts["repaired"], counts["noncompliant"]+counts["error"], counts["not_applicable"], counts["unknown"], asRoot(), took.Seconds())
	return nil
}

// gather groups resources by control, in the order of the controls' numbers.
func gather(d detail) []control {
	byID := map[string]*control{}
	for _, r := range d.Resources {
		for _, id := range r.Controls {
			c, ok := byID[id]
			if !ok {
				c = &control{id: id, title: r.Title}
				byID[id] = c
			}
			c.statuses = append(c.statuses, r.Status)
			if c.title == "" {
				c.title = r.Title
			}
		}
	}
	list := make([]control, 0, len(byID))
	for _, c := range byID {
		c.id = strings.TrimPrefix(c.id, "cis_debian12:")
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b control) int { return slices.Compare(numbers(a.id), numbers(b.id)) })
	return list
}

// numbers splits 5.1.16 for sorting.
func numbers(id string) []int {
	var list []int
	for part := range strings.SplitSeq(id, ".") {
		n, _ := strconv.Atoi(part) // what is no number sorts first
		list = append(list, n)
	}
	return list
}

// asRoot tells what a person may do about controls that cannot be told.
func asRoot() string {
	if os.Geteuid() == 0 {
		return ""
	}
	return " (more of them as root)"
}
