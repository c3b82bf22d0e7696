// Package api is the server's one HTTP interface: a table of routes, each with the access it
// demands, served alike to agents over TLS and SSH, to people over TLS and to the local socket.
//
// A handler returns a value or an error and never writes; who is calling is decided before
// it runs, from keys only. A route that is not in the table does not exist.
package api
