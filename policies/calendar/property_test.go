package calendar

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var zones = []string{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "America/St_Johns", "Africa/Casablanca"}

func windows() *rapid.Generator[Window] {
	rules := []string{"FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SU", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=MONTHLY;BYDAY=2TU", "FREQ=MONTHLY;BYMONTHDAY=31",
		"FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"}
	crons := []string{"30 2 * * *", "*/15 1-3 * * 0", "0 22 * * 6", "45 23 1,15 * *", "0 3 29 2 *", "5 0 1 */3 *"}
	return rapid.Custom(func(t *rapid.T) Window {
		w := Window{Name: "w", Timezone: rapid.SampledFrom(zones).Draw(t, "zone"), OffsetDays: rapid.IntRange(0, maxOffset).Draw(t, "offset"),
			Duration: rapid.IntRange(60, 3*day).Draw(t, "duration")}
		w.Cutoff = rapid.IntRange(0, w.Duration-1).Draw(t, "cutoff")
		if rapid.Bool().Draw(t, "cron") {
			w.Cron = rapid.SampledFrom(crons).Draw(t, "rule")
			return w
		}
		w.RRule = rapid.SampledFrom(rules).Draw(t, "rule")
		minute := rapid.IntRange(0, 24*60-1).Draw(t, "start")
		w.Start = time.Date(2000, 1, 1, 0, minute, 0, 0, time.UTC).Format("15:04")
		return w
	})
}

func instants() *rapid.Generator[time.Time] {
	first, last := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2060, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	return rapid.Map(rapid.Int64Range(first, last), func(s int64) time.Time { return time.Unix(s, 0) })
}

func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, now := windows().Draw(t, "window"), instants().Draw(t, "now")
		next, ok := w.Next(now, nil)
		if !ok {
			t.Fatalf("it never opens after %s", now.UTC())
		}
		if !next.Start.After(now) {
			t.Fatalf("Next(%s) starts at %s", now.UTC(), next.Start.UTC())
		}
		list := w.Between(now, now.AddDate(0, 3, 0), nil)
		last := now.Add(-time.Nanosecond)
		for _, o := range list {
			if !o.Start.After(last) {
				t.Fatalf("%s comes after %s", o.Start.UTC(), last.UTC())
			}
			last = o.Start
			under, open := w.At(o.Start, nil)
			if !open || !under.Start.Equal(o.Start) {
				t.Fatalf("At(%s) = %v, %v, which Between said opens then", o.Start.UTC(), under, open)
			}
			if o.End.Sub(o.Start) != w.duration() || o.End.Sub(o.Cutoff) != time.Duration(w.Cutoff)*time.Second {
				t.Fatalf("the occurrence %v does not last %s", o, w.duration())
			}
		}
		if len(list) > 0 && !list[0].Start.Equal(now) && !list[0].Start.Equal(next.Start) {
			t.Fatalf("Between begins with %s, Next with %s", list[0].Start.UTC(), next.Start.UTC())
		}
	})
}

// TestInstant compares the rule for the clock's jumps with a search minute by minute.
func TestInstant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		near := instants().Draw(t, "near").Truncate(time.Minute)
		if _, change := near.In(zone).ZoneBounds(); !change.IsZero() { // most clocks hardly ever jump
			near = change.Add(time.Duration(rapid.IntRange(-180, 180).Draw(t, "minutes")) * time.Minute)
		}
		naive := wall(near, zone).Add(time.Duration(rapid.IntRange(-90, 90).Draw(t, "more")) * time.Minute).Truncate(time.Minute)
		want := naive.Add(-30 * time.Hour)
		for wall(want, zone).Before(naive) {
			want = want.Add(time.Minute)
		}
		if got := instant(naive, zone); !got.Equal(want) {
			t.Fatalf("instant(%s in %s) = %s, want %s", naive, zone, got.UTC(), want.UTC())
		}
	})
}

// TestLastDayOfALeapYear: there Go's bounds of a zone's offset are wrong in years for which the zone has only a rule, and
// the search went round for ever.
func TestLastDayOfALeapYear(t *testing.T) {
	for _, name := range zones {
		w := Window{RRule: "FREQ=DAILY", Start: "02:30", Duration: 3600, Timezone: name}
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for year := 2028; year <= 2060; year += 4 {
			for hour := range 72 {
				now := time.Date(year, 12, 30, hour, 0, 0, 0, time.UTC)
				next, _ := w.Next(now, nil)
				if shown := next.Start.In(zone).Format("15:04"); shown != "02:30" || next.Start.Sub(now) > 24*time.Hour {
					t.Errorf("in %s after %s it opens at %s (%s)", name, now, next.Start.UTC(), shown)
				}
			}
		}
	}
}

// TestPermitKeepsItsWord goes to the instant that a refusal names: the change is let through
// there, and nowhere between.
func TestPermitKeepsItsWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := instants().Draw(t, "now")
		c := Calendar{Windows: rapid.SliceOfN(windows(), 0, 2).Draw(t, "windows")}
		for range rapid.IntRange(0, 2).Draw(t, "freezes") {
			from := now.Add(time.Duration(rapid.IntRange(-100, 100).Draw(t, "from")) * time.Hour)
			c.Freezes = append(c.Freezes, Freeze{Name: "f", From: from, Until: from.Add(time.Duration(rapid.IntRange(1, 400).Draw(t, "hours")) * time.Hour)})
		}
		d := c.Permit(Package, "", now)
		if d.Allowed {
			return
		}
		if !d.Next.After(now) || !c.Permit(Package, "", d.Next).Allowed {
			t.Fatalf("refused (%s) until %s, where it is still refused", d.Reason, d.Next.UTC())
		}
		if c.Permit(Package, "", d.Next.Add(-time.Nanosecond)).Allowed {
			t.Fatalf("allowed right before %s already", d.Next.UTC())
		}
		share := time.Duration(rapid.Float64Range(0, 0.999).Draw(t, "share") * float64(d.Next.Sub(now)))
		if c.Permit(Package, "", now.Add(share)).Allowed {
			t.Fatalf("allowed at %s already, before %s", now.Add(share).UTC(), d.Next.UTC())
		}
	})
}

func FuzzRRule(f *testing.F) {
	for _, seed := range []string{"FREQ=WEEKLY;BYDAY=SA", "FREQ=MONTHLY;BYDAY=+2TU,-1FR;BYSETPOS=-1", "FREQ=YEARLY;BYWEEKNO=53", "FREQ=YEARLY;BYEASTER=-2",
		"FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;BYMONTHDAY=0", "FREQ=MONTHLY;BYDAY=0MO", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=", ";", "FREQ=DAILY;WKST=SU", "FREQ=YEARLY;BYDAY=53SU;BYWEEKNO=1", "FREQ=YEARLY;BYMONTH=12;BYDAY=12SU", "FREQ=YEARLY;BYDAY=-53MO", "FREQ=YEARLY;BYYEARDAY=366",
		"FREQ=DAILY;BYEASTER=300", "FREQ=YEARLY;BYEASTER=-81", "FREQ=YEARLY;BYEASTER=250", "FREQ=YEARLY;BYEASTER=260", "FREQ=YEARLY;BYWEEKNO=53,-53;WKST=SU"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, rule string) {
		judge(t, Window{RRule: rule, Start: "02:30", Duration: 3600, Timezone: "Europe/Berlin"})
	})
}

func FuzzCron(f *testing.F) {
	for _, seed := range []string{"30 2 * * 0", "*/5 * * * *", "0 0 L * *", "0 0 15W * *", "0 0 * * 5#2", "0 0 * * 5L", "0-61 * * * *", "*/0 * * * *", "0 0 31 2 *", "5-1 * * * MON-FRI", "? ? ? ? ?", "0 0 1,,2 * *"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, rule string) {
		judge(t, Window{Cron: rule, Duration: 3600, Timezone: "Europe/Berlin"})
	})
}

// judge wants a window that Check finds fine to open, also in the far years in which a zone has only a rule. It looks at no
// clock: what a rule may cost is bounded by its length and by the horizon, and a busy machine is no mistake of ours.
func judge(t *testing.T, w Window) {
	if err := w.Check(); err != nil {
		if strings.TrimSpace(err.Error()) == "" {
			t.Error("an error without words")
		}
		return
	}
	for _, now := range []time.Time{time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), time.Date(2040, 12, 28, 0, 0, 0, 0, time.UTC)} {
		o, ok := w.Next(now, nil)
		if !ok || !o.Start.After(now) {
			t.Errorf("Next(%s) = %v, %v of a window that Check finds fine", now, o, ok)
		}
		if len(w.Between(now, now.AddDate(1, 0, 0), nil)) > MaxBetween {
			t.Error("Between knows no bound")
		}
	}
}

func BenchmarkPermit(b *testing.B) {
	c := Calendar{Windows: []Window{
		{Name: "a", RRule: "FREQ=MONTHLY;BYDAY=2TU", Start: "22:00", Duration: 3600, Timezone: "Europe/Berlin", OffsetDays: 7},
		{Name: "b", Cron: "0 22 * * 6", Duration: 3600, Timezone: "Europe/Berlin"},
	}}
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	for b.Loop() {
		if c.Permit(Package, "", now).Allowed {
			b.Fatal("allowed")
		}
	}
}

// TestCronAndRRuleAgree says the same in both languages, which two libraries read.
func TestCronAndRRuleAgree(t *testing.T) {
	type pair struct{ cron, rrule string }
	rapid.Check(t, func(t *rapid.T) {
		hour, minute := rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute")
		both := rapid.SampledFrom([]pair{
			{"* * *", "FREQ=DAILY"}, {"* * 6", "FREQ=WEEKLY;BYDAY=SA"}, {"* * 0", "FREQ=WEEKLY;BYDAY=SU"}, {"* * 1-5", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"},
			{"31 * *", "FREQ=MONTHLY;BYMONTHDAY=31"}, {"1,15 * *", "FREQ=MONTHLY;BYMONTHDAY=1,15"}, {"29 2 *", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"},
			{"L * *", "FREQ=MONTHLY;BYMONTHDAY=-1"}, {"* * 2#2", "FREQ=MONTHLY;BYDAY=2TU"}, {"* * 5L", "FREQ=MONTHLY;BYDAY=-1FR"}, {"* */3 *", "FREQ=DAILY;BYMONTH=1,4,7,10"},
			{"13 * 5", "FREQ=MONTHLY;BYDAY=FR"},
		}).Draw(t, "rule")
		w := Window{Duration: 3600, Timezone: rapid.SampledFrom(zones).Draw(t, "zone"), OffsetDays: rapid.IntRange(0, 7).Draw(t, "offset")}
		byCron, byRule := w, w
		byCron.Cron = fmt.Sprintf("%d %d %s", minute, hour, both.cron)
		byRule.RRule, byRule.Start = both.rrule, fmt.Sprintf("%02d:%02d", hour, minute)
		from := instants().Draw(t, "from")
		a, b := byCron.Between(from, from.AddDate(0, 6, 0), nil), byRule.Between(from, from.AddDate(0, 6, 0), nil)
		if both.cron == "13 * 5" { // cron means or
			if len(a) <= len(b) {
				t.Fatalf("%d starts on a 13th or a Friday, %d on Fridays", len(a), len(b))
			}
			return
		}
		if !slices.EqualFunc(a, b, func(a, b Occurrence) bool { return a.Start.Equal(b.Start) }) {
			t.Fatalf("%s gives %d starts, %s other ones (%d)", byCron.Cron, len(a), byRule.RRule, len(b))
		}
	})
}
