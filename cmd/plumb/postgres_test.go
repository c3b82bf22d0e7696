package main

import (
	"github.com/rogpeppe/go-internal/testscript"

	"plumb/testenv/postgres"
)

// startPostgres starts a server of its own and sets DSN. Scripts skip themselves where [!postgres].
func startPostgres(ts *testscript.TestScript, neg bool, _ []string) {
	if neg {
		ts.Fatalf("postgres cannot be negated")
	}
	server, err := postgres.Start(false)
	ts.Check(err)
	ts.Defer(server.Stop)
	dsn, err := server.Database()
	ts.Check(err)
	ts.Setenv("DSN", dsn)
}
