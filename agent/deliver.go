package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"plumb/agent/protocol"
	"plumb/agent/transport"
	"plumb/policies"
)

// deliver checks in until no report waits any more, and returns the last answer. It always
// checks in once: that is the host's sign of life.
func (r *round) deliver(ctx context.Context) (protocol.Answer, error) {
	for {
		waiting := r.spool.Len()
		answer, err := r.checkIn(ctx)
		if noRoom(err) {
			return r.askOnly(ctx, err)
		}
		if err != nil {
			return answer, err
		}
		if r.spool.Len() == 0 || r.spool.Len() >= waiting {
			return answer, nil // all is delivered, or the server takes no more for now
		}
	}
}

// noRoom tells whether the server has no room for reports. They stay here until it has.
func noRoom(err error) bool {
	var refused *transport.Refused
	return errors.As(err, &refused) && refused.Code == http.StatusInsufficientStorage
}

// askOnly asks for a lease without handing anything over, and returns full, too: a server that
// can store nothing can still say what to run.
func (r *round) askOnly(ctx context.Context, full error) (protocol.Answer, error) {
	answer, err := r.client.CheckIn(ctx, r.words([]policies.Report{}))
	return answer, cmp.Or(err, full)
}

// checkIn sends the oldest reports, and the objects that the server lacks for them.
func (r *round) checkIn(ctx context.Context) (protocol.Answer, error) {
	sent := map[string]bool{}
	for first := true; ; first = false {
		reports, err := r.spool.Pending(protocol.MaxReports)
		if err != nil {
			return protocol.Answer{}, err
		}
		in := r.words(reports)
		if first { // a server that takes none of them asks for those that it lacks
			in.Objects = r.results(reports)
		}
		answer, err := r.client.CheckIn(ctx, in)
		if broke(err) && heavy(in) {
			in.Objects = nil // they come one by one then, in pieces
			answer, err = r.client.CheckIn(ctx, in)
		}
		if err != nil {
			return answer, err
		}
		if err := r.spool.Ack(answer.Epoch, answer.Accepted); err != nil {
			return answer, err
		}
		if len(answer.Want) == 0 {
			return answer, nil
		}
		if err := r.put(ctx, answer.Want, sent); err != nil {
			return answer, err
		}
	}
}

// broke tells whether a call did not come through.
func broke(err error) bool {
	var refused *transport.Refused
	return err != nil && !errors.As(err, &refused)
}

// heavy tells whether a check-in carries so much that a bad line may be to blame for its fate.
func heavy(in protocol.CheckIn) bool {
	size := 0
	for _, packed := range in.Objects {
		size += len(packed)
	}
	return size > 16<<10
}

func (r *round) words(reports []policies.Report) protocol.CheckIn {
	return protocol.CheckIn{Version: protocol.Version, Agent: r.Version, Counter: r.floors.Counter,
		Floor: r.floors.Oldest, Instance: r.Instance, Reports: reports, Paused: r.pause}
}

// results packs those results of the reports that the server can hardly have, as far as a check-in has room for
// them: what this host found when something changed is like nothing that was found elsewhere. Facts change seldom,
// and a catalog is that of many hosts.
func (r *round) results(reports []policies.Report) map[string][]byte {
	packed := map[string][]byte{}
	room, inflated := protocol.MaxObjects, protocol.MaxObject
	for _, report := range reports {
		digest := report.Result
		if digest == "" || packed[digest] != nil || digest == r.spool.Known() {
			continue
		}
		raw, err := r.spool.Object(digest)
		if err != nil || len(raw) > inflated {
			break // it is asked for, and then it shows
		}
		one, err := protocol.Pack(raw)
		if err != nil || len(one) > room {
			break
		}
		room, inflated, packed[digest] = room-len(one), inflated-len(raw), one
	}
	return packed
}

// put sends the objects that the server wants. One that the disk lost would be wanted for
// ever, so its reports go on without it.
func (r *round) put(ctx context.Context, want []string, sent map[string]bool) error {
	for _, digest := range want {
		if sent[digest] {
			return fmt.Errorf("the server wants the object %.12s again and again", digest)
		}
		sent[digest] = true
		raw, err := r.spool.Object(digest)
		if err != nil {
			r.Log.Error("an object of a report is lost", "error", err)
			if err := r.spool.Lost(digest); err != nil {
				return err
			}
			continue
		}
		err = r.client.Put(ctx, digest, raw)
		if hopeless(err) {
			r.Log.Error("the server does not take an object of a report", "error", err)
			err = r.spool.Lost(digest)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hopeless tells whether the server, which has just taken our check-in, will never take the
// object: no report may wait for that.
func hopeless(err error) bool {
	var refused *transport.Refused
	if !errors.As(err, &refused) {
		return false
	}
	return refused.Code == http.StatusForbidden || refused.Code == http.StatusBadRequest || refused.Code == http.StatusRequestEntityTooLarge || refused.Code == http.StatusUnprocessableEntity
}
