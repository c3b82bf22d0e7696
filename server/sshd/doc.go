// Package sshd is the server's SSH listener: Git for authors, and the same HTTP API as over
// TLS for agents.
//
// Who a client is comes from its key alone and travels only in the Permissions that x/crypto
// returns for the key that really signed. There is no shell, no terminal and no forwarding.
package sshd
