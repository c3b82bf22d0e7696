package alerts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"plumb/server/rollout"
	"plumb/server/store"
)

// Station looks for what is wrong, keeps episodes and tells receivers. Make it with [New].
type Station struct {
	Options
	sinks []sink
	poke  chan struct{}

	mu       sync.Mutex // one step at a time
	slaSeen  time.Time
	complain string // the newest complaint, so that a lasting one is logged once

	counts   sync.Mutex
	outcomes map[string]int
}

// Options are what a station works with. All fields are needed.
type Options struct {
	Store *store.Store
	// States returns the rollouts and patch cycles that are under way.
	States func() []rollout.State
	// Frozen returns the freeze of the whole server, nil for none.
	Frozen func(context.Context) (*rollout.Act, error)
	// Overdue returns the SLAs with late updates.
	Overdue func(context.Context, time.Time) ([]Late, error)
	Config  Config
	// Server is the name that receivers are told.
	Server string
	// Now is the clock.
	Now func() time.Time
	Log *slog.Logger
}

// sink is one receiver.
type sink struct {
	name, kind, least string
	events            map[string]bool
	poke              chan struct{}
	tell              func(context.Context, Message, time.Time) (ref string, err error)
}

// wants tells whether a receiver is to be told of such an alert.
func (s sink) wants(kind, severity string) bool {
	return (len(s.events) == 0 || s.events[kind]) && (s.least == "" || reaches(severity, s.least))
}

// Sink is a receiver as people may see it.
type Sink struct{ Name, Kind string }

// New checks the settings and makes a station.
func New(o Options) (*Station, error) {
	if err := o.Config.Check(); err != nil {
		return nil, err
	}
	s := &Station{Options: o, poke: make(chan struct{}, 1), outcomes: map[string]int{}}
	for _, w := range o.Config.Webhooks {
		c, err := newCaller(w)
		if err != nil {
			return nil, fmt.Errorf("alerts: webhook %q: %w", w.Name, err)
		}
		s.sinks = append(s.sinks, newSink(w.Name, w.kind(), w.Events, w.MinSeverity, c.tell))
	}
	if y := o.Config.Syslog; y != nil {
		speaker, err := newSpeaker(*y)
		if err != nil {
			return nil, fmt.Errorf("alerts: syslog: %w", err)
		}
		s.sinks = append(s.sinks, newSink(SyslogName, SyslogName, y.Events, y.MinSeverity, speaker.tell))
	}
	return s, nil
}

func newSink(name, kind string, events []string, least string, tell func(context.Context, Message, time.Time) (string, error)) sink {
	s := sink{name: name, kind: kind, least: least, events: map[string]bool{}, poke: make(chan struct{}, 1), tell: tell}
	for _, one := range events {
		s.events[one] = true
	}
	return s
}

// Sinks returns the receivers in the order of the settings.
func (s *Station) Sinks() []Sink {
	list := []Sink{}
	for _, one := range s.sinks {
		list = append(list, Sink{one.name, one.kind})
	}
	return list
}

// Outcomes counts the attempts to tell since the process began: delivered, retried, failed or skipped.
func (s *Station) Outcomes() map[string]int {
	s.counts.Lock()
	defer s.counts.Unlock()
	all := map[string]int{"delivered": 0, "retried": 0, "failed": 0, "skipped": 0}
	maps.Copy(all, s.outcomes)
	return all
}

func (s *Station) count(outcome string) {
	s.counts.Lock()
	defer s.counts.Unlock()
	s.outcomes[outcome]++
}

// The station looks this often by itself, and this soon after something happened.
const (
	every  = 3 * time.Second
	gather = 200 * time.Millisecond
	// tidyEvery is how often old deliveries are removed, and deliveryLife how long they are kept.
	tidyEvery    = time.Hour
	deliveryLife = 30 * 24 * time.Hour
)

// Poke makes Run look soon.
func (s *Station) Poke() { nudge(s.poke) }

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run looks and tells until ctx ends. Each receiver is told by itself, so that a slow one holds up
// nobody else.
func (s *Station) Run(ctx context.Context) {
	var g errgroup.Group
	g.Go(func() error { s.watch(ctx); return nil })
	g.Go(func() error { s.tidy(ctx); return nil })
	for _, one := range s.sinks {
		g.Go(func() error { s.serve(ctx, one); return nil })
	}
	_ = g.Wait()
}

// watch steps by itself and after pokes; a large fleet is looked at less often.
func (s *Station) watch(ctx context.Context) {
	for {
		began := time.Now()
		if err := s.Step(ctx, s.Now()); err != nil && ctx.Err() == nil {
			s.complainOnce(err)
		} else {
			s.complain = ""
		}
		took := time.Since(began)
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(every, 10*took)):
		case <-s.poke:
			pause(ctx, max(gather, 4*took))
		}
	}
}

func (s *Station) complainOnce(err error) {
	if s.complain != err.Error() {
		s.Log.Error("cannot look for all that may need a person", "error", err)
	}
	s.complain = err.Error()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// serve tells one receiver what it is to be told.
func (s *Station) serve(ctx context.Context, to sink) {
	for ctx.Err() == nil {
		if err := s.deliver(ctx, to); err != nil && ctx.Err() == nil {
			s.Log.Error("cannot work on deliveries", "receiver", to.name, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(every):
		case <-to.poke:
		}
	}
}

// tidy forgets what is old.
func (s *Station) tidy(ctx context.Context) {
	names := make([]string, 0, len(s.sinks))
	for _, one := range s.sinks {
		names = append(names, one.name)
	}
	for ctx.Err() == nil {
		now := s.Now()
		if err := s.Store.ForgetDeliveries(ctx, names, now.Add(-deliveryLife), now); err != nil && ctx.Err() == nil {
			s.Log.Error("cannot forget old deliveries", "error", err)
		}
		if err := s.Store.ForgetEpisodes(ctx, now.Add(-s.Config.keep())); err != nil && ctx.Err() == nil {
			s.Log.Error("cannot forget old alerts", "error", err)
		}
		pause(ctx, tidyEvery)
	}
}

// Step looks once and stores what is new.
func (s *Station) Step(ctx context.Context, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	open, err := s.Store.OpenEpisodes(ctx)
	if err != nil {
		return err
	}
	v, problems := s.look(ctx, now)
	changes, err := s.judge(ctx, open, v, now.UTC())
	if err != nil {
		return err
	}
	if err := s.Store.ChangeEpisodes(ctx, changes); err != nil {
		return err
	}
	if len(changes) > 0 {
		for _, one := range s.sinks {
			nudge(one.poke)
		}
	}
	return errors.Join(problems...)
}
