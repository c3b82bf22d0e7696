package alerts

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"plumb/server/store"
)

// How long a receiver that cannot be told is tried again.
const (
	firstWait = 5 * time.Second
	longWait  = time.Hour
	// patience is when it is given up.
	patience = 24 * time.Hour
	// batch is how many deliveries are read at once.
	batch = 100
)

// wait is how long to wait after so many attempts: twice as long each time, up to an hour, of which
// chance (0 to 1) takes off up to half, so that many do not come back in one moment.
func wait(attempts int, chance float64) time.Duration {
	d := longWait
	if attempts < 12 {
		d = min(longWait, firstWait<<max(0, attempts-1))
	}
	return d - time.Duration(chance*float64(d)/2)
}

// deliver tells a receiver what is due, in order. After a failure the rest waits for the next turn:
// what is down for one message is down for the others.
func (s *Station) deliver(ctx context.Context, to sink) error {
	for {
		due, err := s.Store.DueDeliveries(ctx, to.name, s.Now(), batch)
		if err != nil || len(due) == 0 {
			return err
		}
		for _, d := range due {
			good, err := s.attempt(ctx, to, d)
			if err != nil || !good {
				return err
			}
		}
	}
}

// attempt tells one thing and stores what came of it. The error is ours, not the receiver's.
func (s *Station) attempt(ctx context.Context, to sink, d store.Delivery) (good bool, err error) {
	m, err := s.message(ctx, d)
	if err != nil {
		return false, err
	}
	ref, failure := to.tell(ctx, m, s.Now())
	if ctx.Err() != nil {
		return false, nil // a server that stops has not been told no
	}
	now := s.Now()
	d.Attempts++
	d.Answer, d.Ref = "", ref
	outcome := "delivered"
	switch {
	case failure == nil:
		d.State, d.Done = store.DeliveryDelivered, now
	case errors.Is(failure, errNothing):
		outcome, d.State, d.Done, d.Answer = "skipped", store.DeliverySkipped, now, failure.Error()
	case now.Sub(d.Made) >= patience:
		outcome, d.State, d.Done, d.Answer = "failed", store.DeliveryFailed, now, failure.Error()
		s.Log.Warn("an alert could not be delivered", "receiver", to.name, "alert", d.Episode, "error", failure)
	default:
		outcome, d.Next, d.Answer = "retried", now.Add(wait(d.Attempts, rand.Float64())), failure.Error()
	}
	s.count(outcome)
	return outcome != "retried", s.Store.NoteDelivery(ctx, d)
}

// message is what a delivery tells. The alert is as it stands now, but an opening never says that
// it is over: that is told next.
func (s *Station) message(ctx context.Context, d store.Delivery) (Message, error) {
	e, err := s.Store.Episode(ctx, d.Episode)
	if err != nil {
		return Message{}, err
	}
	m := Message{Version: 1, ID: d.Token, Incident: incident(e), What: d.What, Server: s.Server,
		Alert: Alert{ID: e.ID, Kind: e.Kind, Subject: e.Subject, Severity: e.Severity, Detail: e.Detail, Opened: e.Opened}}
	if d.What != Closed {
		return m, nil
	}
	m.Alert.Closed = e.Closed
	told, err := s.Store.EpisodeDeliveries(ctx, e.ID)
	for _, one := range told {
		if one.Sink == d.Sink && one.What == Opened {
			m.ref = one.Ref
		}
	}
	return m, err
}

// ErrNoSink means that no receiver has the name.
var ErrNoSink = errors.New("there is no such receiver")

// Test tells one receiver a test at once, and returns what came of it. It is in the log of
// deliveries like all else. ErrNoSink when there is no such receiver.
func (s *Station) Test(ctx context.Context, name, who string) (store.Delivery, error) {
	for _, to := range s.sinks {
		if to.name == name {
			return s.test(ctx, to, who)
		}
	}
	return store.Delivery{}, ErrNoSink
}

func (s *Station) test(ctx context.Context, to sink, who string) (store.Delivery, error) {
	now := s.Now().UTC()
	id := digest(to.name, Test, fmt.Sprint(now.UnixNano()))
	m := Message{Version: 1, ID: id, Incident: id, What: Test, Server: s.Server,
		Alert: Alert{Kind: Test, Subject: to.name, Severity: "low", Detail: clip("asked for by "+who, maxDetail), Opened: now}}
	ref, failure := to.tell(ctx, m, now)
	d := store.Delivery{Sink: to.name, What: Test, Token: id, State: store.DeliveryDelivered, Attempts: 1, Made: now, Next: now, Done: s.Now(), Ref: ref}
	if failure != nil {
		d.State, d.Answer = store.DeliveryFailed, failure.Error()
	}
	s.count(d.State)
	return d, s.Store.AddDelivery(ctx, d)
}
