// Package patching makes patch sets: what the patch baselines of a rollout's hosts approve
// becomes a list of exact versions, and a cycle that carries it through the rings.
//
// A set only ever says what may be installed. Each host holds it against its own baseline and
// against what its own package manager offers, so nothing here can bring more to a host than
// its policy allows. What depends on a rejected package is not known here either: a host's own
// plan leaves it out and says so.
package patching
