package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/policies"
	"plumb/policies/lang"
	"plumb/server/api"
	"plumb/server/views"
	"plumb/testenv/hostile"
)

// shows is a command that was answered with a value in which each text is another hostile one.
func shows[T any](print func(*terminal, T)) func(*terminal, func() string) any {
	return func(t *terminal, next func() string) any {
		var answer T
		hostile.Fill(&answer, next, 4)
		if err := t.show(answer, func() { print(t, answer) }); err != nil {
			return err
		}
		return answer
	}
}

// printing are all the ways in which commands show what they were answered.
var printing = map[string]func(*terminal, func() string) any{
	"account add": shows((*terminal).printMade), "account list": shows((*terminal).printAccounts), "alert list": shows((*terminal).printAlerts), "alert deliveries": shows((*terminal).printDeliveries),
	"author list": shows((*terminal).printAuthors), "changes": shows((*terminal).printChangeList), "change": shows((*terminal).printChange), "drift": shows((*terminal).printDrift),
	"explain": shows((*terminal).printExplained), "host": shows((*terminal).printHost), "host --history": shows(func(t *terminal, d views.Detail) { t.printEvents(d.Events) }),
	"hosts": shows((*terminal).printHosts), "kpi": shows((*terminal).printKPIs), "patch status": shows((*terminal).printPatchStatus), "patch advisories": shows((*terminal).printAdvisories),
	"patch sla": shows((*terminal).printSLAs), "patch set list": shows((*terminal).printPatchSets), "patch set show": shows((*terminal).printPatchSet), "release list": shows((*terminal).printReleases),
	"release show": shows((*terminal).printRelease), "rollout list": shows((*terminal).printRollouts), "rollout show": shows((*terminal).printRollout), "status": shows((*terminal).printFleet),
	"token list": shows((*terminal).printTokens), "waiver list": shows((*terminal).printWaivers), "window next": shows((*terminal).printNext), "window calendar": shows((*terminal).printCalendar),
	"window calendar --ical": shows(func(t *terminal, c views.Calendar) { _, _ = t.out.Write(c.ICal(time.Now())) }),
	"validate":               shows(func(t *terminal, list []policies.Problem) { lang.Write(t.errs, list, false) }),
	"a refusal": func(t *terminal, next func() string) any {
		t.finish(&api.Refusal{Problem: protocol.Problem{Error: next(), Hint: next()}})
		t.finish(errors.New(next()))
		return nil
	},
}

// TestHostileAnswers is that nothing that a host or an author wrote steers a terminal, stands there in another
// order than it was written, or begins a line as if it were ours.
func TestHostileAnswers(t *testing.T) {
	texts, rounds := hostile.Texts(4, 400), 2
	if os.Getenv("PLUMB_SOAK") == "1" {
		texts, rounds = hostile.Texts(4, 5000), 40
	}
	drawn := 0
	next := func() string { drawn++; return texts[drawn%len(texts)] }
	for range rounds {
		for _, name := range slices.Sorted(maps.Keys(printing)) {
			for _, asJSON := range []bool{false, true} {
				var out, errs bytes.Buffer
				term := newTerminal(nil, &out, &errs)
				term.json = asJSON
				answer := printing[name](term, next)
				all := out.String() + errs.String()
				if found := hostile.Steers(all); found != "" {
					t.Errorf("plumb %s (JSON %v) writes %s", name, asJSON, found)
				}
				if asJSON && out.Len() > 0 && !saysAll(out.Bytes(), answer) {
					t.Errorf("plumb %s writes JSON that says something else: %.300q", name, out.String())
				}
			}
		}
	}
	t.Logf("%d commands showed %d fields with %d texts", len(printing), drawn, len(texts))
}

// saysAll tells whether the JSON says the same as it does without care for terminals.
func saysAll(got []byte, answer any) bool {
	raw, err := json.Marshal(answer)
	var want, back any
	return err == nil && json.Unmarshal(raw, &want) == nil && json.Unmarshal(got, &back) == nil && reflect.DeepEqual(want, back)
}
