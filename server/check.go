package server

import (
	"context"
	"time"
)

// checkPatience is how long the doors stay shut while the whole database is looked over: better no
// answer than a wrong one. A database of gigabytes takes longer than hosts should wait for.
const checkPatience = 3 * time.Second

// check begins to look the database over. What it did not find out in time, checked tells.
func (s *Server) check(ctx context.Context) error {
	result := make(chan error, 1)
	s.checked = result
	go func() {
		result <- s.look(ctx)
		close(result)
	}()
	select {
	case err := <-result:
		return err
	case <-time.After(s.patience):
		s.log.Info("the database is large: it is looked over while the server serves")
		return nil
	}
}

// endCheck waits for the end of the look. Damage ends the server, as it would have at the start.
func (s *Server) endCheck(ctx context.Context) error {
	if err := <-s.checked; ctx.Err() == nil {
		return err
	}
	return nil
}

// endOnDamage ends the server when something is read that is not as it was written: better no answer than a wrong one.
func (s *Server) endOnDamage(ctx context.Context) error {
	select {
	case err := <-s.store.Damage():
		return err
	case <-ctx.Done():
		return nil
	}
}
