package store

import (
	"flag"
	"os"
	"testing"

	"plumb/testenv/postgres"
)

// server is the PostgreSQL that all tests of the package share; each test has a database of its own.
// It is nil when there is none, which reason says then.
var (
	server *postgres.Server
	reason error
)

func TestMain(m *testing.M) {
	flag.Parse()
	server, reason = postgres.Start(flag.Lookup("test.bench").Value.String() != "")
	code := m.Run()
	if server != nil {
		server.Stop()
	}
	os.Exit(code)
}

// newDatabase returns the address of an empty database, or skips.
func newDatabase(t testing.TB) string {
	t.Helper()
	if server == nil {
		t.Skip(reason)
	}
	dsn, err := server.Database()
	if err != nil {
		t.Fatal(err)
	}
	return dsn
}
