// Package repo owns the server's policy repository: a bare Git repository with one branch
// that counts, main, and the tags release/N.
//
// Stock git serves the wire and reads trees, always as a limited child with a clean
// environment; go-git reads history and writes tag objects. Nothing in the repository is
// believed because it is there: what may run is decided by signatures, see server/release.
package repo
