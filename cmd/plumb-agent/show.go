package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"plumb/agent"
	"plumb/agent/cause"
	"plumb/agent/protocol"
	"plumb/agent/run"
	"plumb/agent/spool"
	"plumb/agent/state"
	"plumb/policies"
	"plumb/policies/calendar"
)

func (a *app) facts(args []string) error {
	if _, err := a.parse(a.flags("facts"), args); err != nil {
		return err
	}
	one, err := a.open(false)
	if err != nil {
		return err
	}
	found, err := one.Facts(context.Background())
	if err != nil {
		return err
	}
	return printJSON(a.stdout, found)
}

// standing is the JSON of status; a field that is not known is empty.
type standing struct {
	Name     string                  `json:"name"`
	Server   string                  `json:"server"`
	Release  uint64                  `json:"release"`
	Commit   string                  `json:"commit"`
	Ran      time.Time               `json:"ran"`
	Audit    bool                    `json:"audit"`
	Stale    bool                    `json:"stale"`
	Lease    time.Time               `json:"lease_expires"`
	Counts   map[policies.Status]int `json:"counts"`
	Problem  string                  `json:"problem"`
	Paused   *protocol.Pause         `json:"paused"`
	Spooled  int                     `json:"spooled"`
	Failures []string                `json:"failures"`
	Patching []patching              `json:"patching"`
	Windows  []opening               `json:"windows"`
	Freezes  []calendar.Freeze       `json:"freezes"`
	// Waivers are the exceptions that hold now.
	Waivers []policies.Waiver `json:"waivers"`
}

func (a *app) status(args []string) error {
	set := a.flags("status")
	asJSON := set.Bool("json", false, "print it as JSON")
	if _, err := a.parse(set, args); err != nil {
		return err
	}
	s, err := a.standing()
	if err != nil {
		return err
	}
	if *asJSON {
		if err := printJSON(a.stdout, s); err != nil {
			return err
		}
		return differs(s.Counts)
	}
	a.printStanding(s)
	return differs(s.Counts)
}

func (a *app) standing() (standing, error) {
	one, err := a.open(false)
	if err != nil {
		return standing{}, err
	}
	id, err := one.Dir.Identity()
	if err != nil && !errors.Is(err, state.ErrNotEnrolled) {
		return standing{}, err
	}
	last, ok, err := one.Newest()
	if err != nil {
		return standing{}, err
	}
	if !ok && id.Server == "" {
		return standing{}, state.ErrNotEnrolled
	}
	s := standing{Name: id.Host.Name, Server: id.Server, Release: last.Release, Commit: last.Commit, Ran: last.Finished,
		Audit: last.Audit, Stale: last.Stale, Counts: last.Result.Counts(), Problem: last.Problem,
		Paused: one.Dir.Paused(time.Now()), Failures: []string{}, Patching: patchings(last, time.Now()), Windows: openings(last, time.Now()), Freezes: holding(last, time.Now()), Waivers: last.Catalog.Holding(time.Now())}
	for _, r := range last.Result.Resources {
		if r.Status == policies.Failed || r.Status == policies.Noncompliant {
			s.Failures = append(s.Failures, r.Address)
		}
	}
	if s.Lease, err = one.Expires(); err != nil {
		return s, err
	}
	s.Spooled, err = spool.Waiting(one.Dir.Path + "/spool")
	return s, err
}

func (a *app) printStanding(s standing) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(a.stdout, "%-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	if s.Server != "" {
		line("host", "%s at %s", s.Name, s.Server)
	}
	switch {
	case s.Ran.IsZero():
		line("run", "none yet")
	case s.Release == 0:
		line("run", "apply by hand at %s: %s", s.Ran.Local().Format(time.RFC3339), counts(s.Counts))
	default:
		line("run", "release %d (%.12s) at %s: %s", s.Release, s.Commit, s.Ran.Local().Format(time.RFC3339), counts(s.Counts))
	}
	for _, address := range s.Failures {
		line("", "%s", address)
	}
	if s.Stale {
		line("stale", "the lease has run out; drift is mended, no new release is taken")
	}
	if s.Paused != nil {
		line("paused", "until %s: %s", s.Paused.Until, s.Paused.Reason)
	}
	for _, text := range patchLines(s.Patching) {
		line(text[0], "%s", text[1])
	}
	for _, o := range s.Windows {
		line("window", "%s", o.words())
	}
	for _, f := range s.Freezes {
		line("freeze", "%s", freezeWords(f))
	}
	for _, w := range s.Waivers {
		line("waiver", "%s", w)
	}
	if s.Problem != "" {
		line("problem", "%s", s.Problem)
	}
	if s.Spooled > 0 {
		line("spool", "%d reports wait for the server", s.Spooled)
	}
}

func (a *app) why(args []string) error {
	rest, err := a.parse(a.flags("why"), args, "ADDRESS")
	if err != nil {
		return err
	}
	one, err := a.open(false)
	if err != nil {
		return err
	}
	last, ok, err := one.Newest()
	if err != nil {
		return err
	}
	if !ok {
		return &failure{err: errors.New("nothing was run on this host yet")}
	}
	res := last.Catalog.Find(rest[0])
	if res == nil {
		return &failure{err: fmt.Errorf("the last run had no resource %q, or more than one", rest[0]),
			hint: "write the whole address, as status and apply show it"}
	}
	a.explain(last, *res)
	left, err := one.Remembered(last, res.Address)
	if err != nil {
		return err
	}
	a.tellPast(left)
	return nil
}

// tellPast lists the newest changes of a resource, the newest first.
func (a *app) tellPast(left cause.Entry) {
	if len(left.Changed) > 0 {
		fmt.Fprintln(a.stdout, "changed")
	}
	for _, past := range slices.Backward(left.Changed) {
		fmt.Fprintf(a.stdout, "  %s %s (%s)\n", past.At.Local().Format(time.RFC3339), past.Status, past.Cause.Words(past.From, past.To))
		for _, c := range past.Changes {
			printChange(a.stdout, c)
		}
	}
}

func (a *app) explain(last agent.Last, res policies.Resource) {
	fmt.Fprintf(a.stdout, "%s\n  declared at %s:%d", res.Address, res.Source.File, res.Source.Line)
	for _, also := range res.AlsoDeclared {
		fmt.Fprintf(a.stdout, ", %s:%d", also.File, also.Line)
	}
	fmt.Fprintf(a.stdout, "\n  mode %s", res.Mode)
	if len(res.DependsOn) > 0 {
		fmt.Fprintf(a.stdout, "\n  after %v", res.DependsOn)
	}
	if len(res.Notify) > 0 {
		fmt.Fprintf(a.stdout, "\n  notifies %v", res.Notify)
	}
	for _, text := range exceptions(last.Catalog, res, time.Now()) {
		fmt.Fprintf(a.stdout, "\n  %s", text)
	}
	for _, o := range openings(last, time.Now()) {
		if slices.Contains(res.Window, o.Name) {
			fmt.Fprintf(a.stdout, "\n  window %s", o.words())
		}
	}
	fmt.Fprintf(a.stdout, "\n  wanted %s\n", shown(res))
	for _, one := range last.Result.Resources {
		if one.Address == res.Address {
			fmt.Fprintf(a.stdout, "last run at %s%s\n", last.Finished.Local().Format(time.RFC3339), releaseOf(last))
			printResource(a.stdout, one)
		}
	}
}

func releaseOf(last agent.Last) string {
	if last.Release == 0 {
		return ""
	}
	return fmt.Sprintf(", release %d (%.8s)", last.Release, last.Commit)
}

// exceptions says what was agreed about a resource, and whether that holds.
func exceptions(c policies.Catalog, res policies.Resource, now time.Time) []string {
	var list []string
	for _, name := range res.Waivers {
		w, ok := c.Waivers[name]
		switch {
		case !ok:
		case w.Holds(now):
			list = append(list, w.String())
		case now.Before(w.From):
			list = append(list, "from "+w.From.UTC().Format(time.RFC3339)+" on "+w.String())
		default:
			list = append(list, "no longer "+w.String())
		}
	}
	return list
}

// shown is the attributes of a resource without its secrets.
func shown(res policies.Resource) string {
	var all map[string]any
	if json.Unmarshal(res.Attributes, &all) != nil {
		return "(damaged)"
	}
	for name := range all {
		if slices.Contains(run.Secret(res), name) {
			all[name] = "(sensitive)"
		}
	}
	raw, err := json.MarshalIndent(all, "  ", "  ")
	if err != nil {
		return "(damaged)"
	}
	return string(raw)
}
