package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"plumb/server/api"
	"plumb/server/store"
	"plumb/server/views"
)

// changePage is one release: what it says, whom it reached and what it did there.
type changePage struct {
	frame
	Change views.ChangeRecord
	// Files are those in which it differs from the release before; MoreFiles counts those left out.
	// Readable is true for those who may read policy.
	Files     []fileRow
	MoreFiles int
	Readable  bool
	// Chart is how it came to hosts, Reached some of them in the order in which it did.
	Chart   chart
	Reached []views.Reached
	// Of is how many hosts it reached, and Next the address of the next of them.
	Of   int
	Next string
	// Resources are what it did, resource by resource.
	Resources []views.ChangedResource
	// Kind and Address select events; empty shows all.
	Kind, Address string
}

// fileRow is a file that a release changed.
type fileRow struct {
	views.ChangedFile
	// Diff is empty when there is none to show.
	Diff string
}

// changed is what is found out about one release.
type changed struct {
	// record has the hosts that it reached in the order in which it did, and chart draws it.
	record    views.ChangeRecord
	chart     chart
	files     []views.ChangedFile
	resources []views.ChangedResource
}

const (
	filesShown   = 40
	reachedShown = 50
)

func (s *site) change(c *api.Call) (any, error) {
	n, err := releaseNumber(c.Param("number"))
	if err != nil {
		return nil, err
	}
	id, now, read := strconv.FormatUint(n, 10), c.Now, s.Read()
	all, _, err := s.ones.named(id).of(c.Request.Context(), now, func(ctx context.Context) (changed, error) { return lookUp(ctx, read, n, now) })
	if errors.Is(err, store.ErrNotFound) {
		return nil, &api.Error{Code: http.StatusNotFound, Text: fmt.Sprintf("there is no change %d", n), Hint: "the page of changes lists them"}
	}
	if err != nil {
		return nil, err
	}
	p := changePage{frame: s.frame(c, fmt.Sprintf("Change %d", n), "/changes"), Change: all.record, Resources: all.resources,
		Kind: c.Query("kind"), Address: c.Query("address"), Readable: c.Caller.May(api.Auditor)}
	if p.Address != "" {
		f := store.EventFilter{Release: n, Own: true, Address: p.Address, Limit: 1000, Kinds: []string{store.EventRepaired, store.EventFailed}}
		if p.Change.Events, err = read.Events(c.Request.Context(), f); err != nil {
			return nil, err
		}
	}
	p.Change.Events = ofKind(p.Change.Events, p.Kind)
	p.reach(c, all)
	s.compare(&p, all.files)
	return s.show("change", p)
}

// lookUp finds out all about one release. A bundle that is gone, or damaged, names no files.
func lookUp(ctx context.Context, read views.Reader, n uint64, now time.Time) (all changed, err error) {
	if all.record, err = read.ChangeRecordOf(ctx, strconv.FormatUint(n, 10), now); err != nil {
		return all, err
	}
	slices.SortFunc(all.record.Reach, func(a, b views.Reached) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Host, b.Host))
	})
	all.chart = reachChart(all.record, all.record.Reach, now)
	if all.resources, err = read.ChangedResources(ctx, n); err != nil {
		return all, err
	}
	all.files, err = read.ChangedFiles(ctx, n)
	if err != nil && ctx.Err() == nil {
		err = nil
	}
	return all, err
}

// compare shows the first files, and to those who may read policy how they differ.
func (s *site) compare(p *changePage, files []views.ChangedFile) {
	shown := files[:min(len(files), filesShown)]
	p.MoreFiles = len(files) - len(shown)
	for _, one := range shown {
		row := fileRow{ChangedFile: one}
		if p.Readable && s.Diff != nil {
			row.Diff = s.Diff(one.Before, one.After)
		}
		p.Files = append(p.Files, row)
	}
}

// reach shows how the release came to hosts, and lists some of them.
func (p *changePage) reach(c *api.Call, found changed) {
	all := found.record.Reach
	p.Of, p.Chart = len(all), found.chart
	from, err := strconv.Atoi(c.Query("after"))
	if err != nil || from < 0 || from > len(all) {
		from = 0
	}
	to := min(len(all), from+reachedShown)
	p.Reached = all[from:to]
	if to < len(all) {
		p.Next = fmt.Sprintf("/changes/%s?after=%d#hosts", p.Change.ID, to)
	}
}

const reachPoints = 80

// reachChart draws how many hosts ran the release, and how many of them had converged.
func reachChart(r views.ChangeRecord, all []views.Reached, now time.Time) chart {
	if len(all) == 0 {
		return chart{}
	}
	from, to := r.Made, all[len(all)-1].At
	if all[0].At.Before(from) {
		from = all[0].At
	}
	var ran, well []time.Time
	for _, one := range all {
		ran = append(ran, one.At)
		if one.Converged != nil {
			well = append(well, *one.Converged)
		}
	}
	slices.SortFunc(well, time.Time.Compare)
	if n := len(well); n > 0 && well[n-1].After(to) {
		to = well[n-1]
	}
	if to = to.Add(to.Sub(from)/20 + time.Minute); to.After(now) && now.After(from) {
		to = now
	}
	list := []series{{Mark: "compliant", Words: "converged"}, {Mark: "pending", Words: "reached, not converged"}}
	c := chart{Title: "Hosts that the release reached", Heads: []string{"Reached", "Converged"}}
	at := make([]time.Time, reachPoints+1)
	for i := range at {
		at[i] = from.Add(time.Duration(float64(to.Sub(from)) * float64(i) / reachPoints))
		reached, converged := upTo(ran, at[i]), upTo(well, at[i])
		list[0].Values = append(list[0].Values, float64(converged))
		list[1].Values = append(list[1].Values, float64(max(0, reached-converged)))
		if i%4 == 0 {
			c.Rows = append(c.Rows, chartRow{When: at[i].UTC().Format("2006-01-02 15:04"), Cells: []string{views.Number(reached), views.Number(converged)}})
		}
	}
	scale := roof(float64(len(all)))
	c.Bands, c.Key, c.Grid, c.Ticks = areas(at, list, scale), key(list), grid(scale, whole), ticks(from, to, 6)
	c.Slots = slots(at, func(i int) string {
		return fmt.Sprintf("%s UTC: %s, %s converged", at[i].UTC().Format("2 January 15:04"), hosts(upTo(ran, at[i])), views.Number(upTo(well, at[i])))
	})
	c.Words = fmt.Sprintf("From %s to %s: %s, of which %s converged.", from.UTC().Format("2 January 15:04"), to.UTC().Format("2 January 15:04"), hosts(len(ran)), views.Number(len(well)))
	return c
}

// upTo counts how many of some sorted instants are not after one.
func upTo(sorted []time.Time, at time.Time) int {
	n, _ := slices.BinarySearchFunc(sorted, at, func(t, at time.Time) int {
		if t.After(at) {
			return 1
		}
		return -1
	})
	return n
}

// Took is how long the release needed to converge on a host, in words; empty when it did not.
func took(r views.Reached) string {
	if r.Converged == nil {
		return ""
	}
	seconds := r.Converged.Sub(r.At).Seconds()
	if seconds == 0 {
		return "at once"
	}
	return "after " + secondsWords(&seconds)
}
