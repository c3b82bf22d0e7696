// Package modules is the vocabulary of policies: what can be managed on a host.
//
// One kind is one Go file and one line in kinds.go. A kind is a struct whose fields are its
// attributes; Check reads the host and never changes it, Apply makes the changes that Check
// found, and a second Check then finds none. The conformance suite holds every kind to that.
package modules
