package alerts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"plumb/server/store"
)

// judge compares what is open with what was seen, and returns what changes.
func (s *Station) judge(ctx context.Context, open []store.Episode, v view, now time.Time) ([]store.EpisodeChange, error) {
	known := map[string]store.Episode{}
	for _, e := range open {
		known[e.Key] = e
	}
	var changes []store.EpisodeChange
	seen := map[string]bool{}
	gathered := s.gather(open, &v, now)
	for _, c := range v.seen {
		seen[c.Key] = true
		e, ok := known[c.Key]
		if !ok {
			changes = append(changes, s.open(c, gathered[c.Key], now))
		} else if next := goesOn(e, c); next != e {
			changes = append(changes, store.EpisodeChange{Episode: next, Tell: s.tellWorse(e, next, now)})
		}
	}
	for _, e := range open {
		if seen[e.Key] || !v.looked[e.Kind] {
			continue
		}
		change, err := s.fade(ctx, e, now)
		if err != nil {
			return nil, err
		}
		changes = append(changes, change...)
	}
	return changes, nil
}

// open begins an episode. One that is gathered is told by another one. That waits a moment, so that
// it can say how many there are.
func (s *Station) open(c Condition, gathered bool, now time.Time) store.EpisodeChange {
	e := store.Episode{Key: c.Key, Kind: c.Kind, Subject: c.Subject, Severity: c.Severity, Detail: c.Detail, Opened: now, Gathered: gathered}
	change := store.EpisodeChange{Episode: e}
	for _, one := range s.sinks {
		if gathered || !one.wants(about(e), e.Severity) {
			continue
		}
		d := delivery(one.name, e, Opened, now)
		if e.Kind == Storm {
			d.Next = now.Add(stormWait)
		}
		change.Tell = append(change.Tell, d)
	}
	return change
}

// goesOn is an open episode whose cause is in sight, perhaps again.
func goesOn(e store.Episode, c Condition) store.Episode {
	if !e.Cleared.IsZero() {
		e.Cleared, e.Returns = time.Time{}, e.Returns+1
	}
	e.Severity, e.Detail = c.Severity, c.Detail
	return e
}

// tellWorse is for receivers that the alert was not bad enough for until now.
func (s *Station) tellWorse(before, after store.Episode, now time.Time) []store.Delivery {
	var list []store.Delivery
	if after.Gathered {
		return nil
	}
	for _, one := range s.sinks {
		if one.wants(about(after), after.Severity) && !one.wants(about(before), before.Severity) {
			list = append(list, delivery(one.name, after, Opened, now))
		}
	}
	return list
}

// fade is an open episode whose cause is out of sight: it is closed once that has lasted. Whoever
// was told that it began is told that it is over.
func (s *Station) fade(ctx context.Context, e store.Episode, now time.Time) ([]store.EpisodeChange, error) {
	if e.Cleared.IsZero() {
		e.Cleared = now
		return []store.EpisodeChange{{Episode: e}}, nil
	}
	if now.Sub(e.Cleared) < s.Config.settle() {
		return nil, nil
	}
	e.Closed = e.Cleared
	told, err := s.Store.EpisodeDeliveries(ctx, e.ID)
	if err != nil {
		return nil, err
	}
	change := store.EpisodeChange{Episode: e}
	for _, d := range told {
		if d.What == Opened && s.has(d.Sink) {
			change.Tell = append(change.Tell, delivery(d.Sink, e, Closed, now))
		}
	}
	return []store.EpisodeChange{change}, nil
}

func (s *Station) has(name string) bool {
	for _, one := range s.sinks {
		if one.name == name {
			return true
		}
	}
	return false
}

// delivery is what one receiver is to be told of an episode. Its token depends on nothing else, so
// that the same thing is never stored twice.
func delivery(to string, e store.Episode, what string, now time.Time) store.Delivery {
	return store.Delivery{Sink: to, What: what, Token: digest(to, incident(e), what), State: store.DeliveryPending, Made: now, Next: now}
}

// incident names an episode for all receivers.
func incident(e store.Episode) string {
	return digest("incident", e.Key, fmt.Sprint(e.Opened.UnixMilli()))
}

func digest(parts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return hex.EncodeToString(sum[:16])
}
