package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

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
		hostilely(reflect.ValueOf(&answer).Elem(), next, 4)
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
				if at := strings.IndexFunc(all, steers); at >= 0 || !utf8.ValidString(all) || strings.Contains(strings.ReplaceAll(all, "\r\n", "\n"), "\r") {
					t.Errorf("plumb %s (JSON %v) writes %q", name, asJSON, around(all, at))
				}
				if at := strings.Index("\n"+all, "\n"+hostile.Forged); at >= 0 {
					t.Errorf("plumb %s (JSON %v) writes a forged line: %q", name, asJSON, around(all, at))
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

func steers(r rune) bool {
	return unicode.IsControl(r) && !strings.ContainsRune("\r\n\t", r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

func around(text string, at int) string { return text[max(0, at-60):min(len(text), max(at, 0)+60)] }

// hostilely gives each text of a value another one, and each list a few items, down to a depth.
func hostilely(v reflect.Value, next func() string, depth int) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)))
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				hostilely(v.Field(i), next, depth)
			}
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			raw, _ := json.Marshal(next() + "\n" + next())
			v.SetBytes(raw)
			return
		}
		if depth == 0 {
			return // it may hold itself
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			hostilely(v.Index(i), next, depth-1)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		hostilely(key, next, depth-1)
		hostilely(value, next, depth-1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Pointer:
		if depth > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			hostilely(v.Elem(), next, depth-1)
		}
	case reflect.String:
		v.SetString(next())
	case reflect.Int, reflect.Int64, reflect.Uint64:
		v.Set(reflect.ValueOf(7).Convert(v.Type()))
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf(map[string]any{next(): next()}))
		}
	}
}
