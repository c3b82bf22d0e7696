// Package policies holds the plain values that say what is wanted and what was found:
// Catalog, Result, Report and their parts.
//
// They are written as JSON and named by their SHA-256, so a field is only added with
// omitempty and never changes its meaning: equal content must keep its digest.
package policies
