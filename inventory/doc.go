// Package inventory says which hosts there are: their names, labels and facts.
//
// It holds plain values and imports nothing of ours, so every other package may import it.
package inventory
