package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"plumb/testenv/postgres"
)

// database is a PostgreSQL of Debian's package, as it comes, in a folder of its own.
type database struct {
	*postgres.Server
	dsn string
}

func newPostgres() (*database, error) {
	server, err := postgres.Start(true)
	if err != nil {
		return nil, err
	}
	dsn, err := server.Database()
	if err != nil {
		server.Stop()
		return nil, fmt.Errorf("cannot make a database: %w", err)
	}
	return &database{server, dsn}, nil
}

// cpu is the time that its processes have used that live.
func (p *database) cpu() (sum time.Duration) {
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", p.PID, p.PID)) // none when it is gone
	for _, pid := range strings.Fields(string(children)) {
		sum += cpuOf("/proc/" + pid + "/stat")
	}
	return sum
}
