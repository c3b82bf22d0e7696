package web

import (
	"log/slog"

	"plumb/server/people"
)

// people are those of the fleet, whose passwords cost little.
func (f *fleet) people() *people.People {
	if f.persons == nil {
		f.persons = people.New(f.store, people.Cost{Memory: 64, Time: 1, Threads: 1}, slog.New(slog.DiscardHandler))
	}
	return f.persons
}
