// Package kpi derives the figures of a fleet from its history: how many changes succeed, how fast
// they arrive, how soon drift is found and mended.
//
// [Compute] is a pure function of plain values. Nothing that a person typed goes into it, and
// nothing that was not known at the instant that it is asked about. What is not known never
// counts as good: a rate of nothing is no rate. docs/kpis.md says each figure in words.
package kpi
