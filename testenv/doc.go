// Package testenv starts worlds: a few Debian hosts, each with its own systemd, apt, sshd and
// address, and a network that joins them to a server side, all on one machine and in about a
// second a host.
//
// Worlds live in namespaces of their own, so nothing of them outlives the program: call [Enter]
// first, it runs the program again in there. [Prepare] makes ready what has no place in there,
// because it needs the network.
package testenv
