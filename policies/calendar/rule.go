package calendar

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/adhocore/gronx"
	"github.com/teambition/rrule-go"
)

// What a rule may be at most; both are foreign text.
const (
	maxRule     = 256
	maxInterval = 1000
)

// rule returns the expansion of the window's cron or rrule.
func (w Window) rule(zone *time.Location) (func(begin, end time.Time) iter.Seq[time.Time], error) {
	switch {
	case (w.Cron == "") == (w.RRule == ""):
		return nil, errors.New("a window has either a cron or an rrule")
	case len(w.Cron)+len(w.RRule) > maxRule:
		return nil, fmt.Errorf("a rule has %d characters at most", maxRule)
	case w.Cron != "":
		return readCron(w.Cron)
	}
	start, err := time.Parse("15:04", w.Start)
	if err != nil || len(w.Start) != len("15:04") {
		return nil, fmt.Errorf("start is %q; it is the hour and the minute, such as \"22:00\"", w.Start)
	}
	opt, err := w.readRRule()
	if err != nil {
		return nil, err
	}
	clock := time.Duration(start.Hour())*time.Hour + time.Duration(start.Minute())*time.Minute
	return func(begin, end time.Time) iter.Seq[time.Time] {
		return func(yield func(time.Time) bool) {
			for day := range days(opt, w.anchor(begin, zone), end) {
				if at := day.Add(clock); !at.Before(begin) && !yield(at) {
					return
				}
			}
		}
	}, nil
}

// anchor is the day that the rule is counted from. Without a from the rule is one that
// counts the same from any day, so a near one saves work.
func (w Window) anchor(begin time.Time, zone *time.Location) time.Time {
	if w.From.IsZero() {
		return time.Date(begin.Year()-1, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return wall(w.From, zone).Truncate(24 * time.Hour)
}

func days(opt rrule.ROption, anchor, end time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		opt.Dtstart, opt.Until = anchor, end
		rule, err := rrule.NewRRule(opt)
		if err != nil {
			return
		}
		for next := rule.Iterator(); ; {
			day, ok := next()
			if !ok || !yield(day) {
				return
			}
		}
	}
}

// readRRule reads the rule without its start. The parts that would clash with the window's own
// are refused, and so is what would depend on a day that nobody named.
func (w Window) readRRule() (rrule.ROption, error) {
	text := strings.ToUpper(w.RRule)
	if strings.ContainsAny(text, "\r\n") || strings.Contains(text, "DTSTART") {
		return rrule.ROption{}, errors.New("an rrule is one line without DTSTART; say the day that it counts from in from, and the hour in start")
	}
	opt, err := rrule.StrToROption(text)
	if err != nil {
		return rrule.ROption{}, err
	}
	switch {
	case opt.Freq > rrule.DAILY:
		return *opt, fmt.Errorf("FREQ=%s is more often than daily; several windows a day are several window blocks, or a cron", opt.Freq)
	case len(opt.Byhour)+len(opt.Byminute)+len(opt.Bysecond) > 0:
		return *opt, errors.New("BYHOUR, BYMINUTE and BYSECOND have no place here; start says the hour and the minute")
	case opt.Count != 0 || !opt.Until.IsZero():
		return *opt, errors.New("COUNT and UNTIL have no place here; say in until when the window no longer opens")
	case opt.Interval < 0 || opt.Interval > maxInterval:
		return *opt, fmt.Errorf("INTERVAL is a number from 1 to %d", maxInterval)
	case slices.ContainsFunc(opt.Byeaster, farFromEaster):
		return *opt, errors.New("BYEASTER is a number of days from 80 before Easter to 250 after it")
	case w.From.IsZero() && needsAnchor(*opt):
		return *opt, errors.New("the rule counts from a day that nobody named; add BYDAY or BYMONTHDAY to it, or say in from when it begins")
	}
	if err := checkOrdinals(*opt); err != nil {
		return *opt, err
	}
	_, err = rrule.NewRRule(*opt)
	return *opt, err
}

// farFromEaster tells of days that may lie in another year than their Easter, which the library counts wrong or panics at.
func farFromEaster(days int) bool { return days < -80 || days > 250 }

// checkOrdinals holds the numbers of BYDAY to RFC 5545, section 3.3.10: the fifth in a month at
// most, the 53rd in a year. The library looks past the end of the year for others.
func checkOrdinals(opt rrule.ROption) error {
	most := 0
	switch {
	case opt.Freq == rrule.MONTHLY, opt.Freq == rrule.YEARLY && len(opt.Bymonth) > 0:
		most = 5
	case opt.Freq == rrule.YEARLY:
		most = 53
	}
	for _, day := range opt.Byweekday {
		if n := day.N(); n > most || n < -most {
			return fmt.Errorf("BYDAY=%s: a number before the day counts within a month (5 at most) or, with FREQ=YEARLY without BYMONTH, within a year (53 at most)", day)
		}
	}
	return nil
}

// needsAnchor tells whether the rule means other days when it begins on another one.
func needsAnchor(opt rrule.ROption) bool {
	named := len(opt.Byweekday) + len(opt.Bymonthday) + len(opt.Byyearday) + len(opt.Byweekno) + len(opt.Byeaster)
	return opt.Interval > 1 || opt.Freq != rrule.DAILY && named == 0
}

// readCron reads five fields. gronx only tells which minutes, hours and days a field means: its
// own search for the next date loses starts when the clocks change.
func readCron(text string) (func(begin, end time.Time) iter.Seq[time.Time], error) {
	fields := strings.Fields(text)
	if len(fields) != 5 || !gronx.IsValid(strings.Join(fields, " ")) {
		return nil, fmt.Errorf("%q is no cron rule; it has five fields: minute, hour, day of the month, month, day of the week", text)
	}
	clock := times(fields[0], fields[1])
	due := cronRule("* * " + strings.Join(fields[2:], " "))
	return func(begin, end time.Time) iter.Seq[time.Time] {
		return func(yield func(time.Time) bool) {
			for at := begin.Truncate(24 * time.Hour); at.Before(end); at = at.AddDate(0, 0, 1) {
				if !due(at) {
					continue
				}
				for _, d := range clock {
					if start := at.Add(d); !start.Before(begin) && !yield(start) {
						return
					}
				}
			}
		}
	}, nil
}

// cronRule tells of times whether the rule means them. Its text is read once: that takes longer
// than all the rest.
func cronRule(text string) func(at time.Time) bool {
	cron := gronx.New()
	fields, err := gronx.Segments(text)
	return func(at time.Time) bool {
		if err != nil {
			return false
		}
		cron.C.SetRef(at)
		yes, err := cron.SegmentsDue(fields)
		return err == nil && yes
	}
}

// times lists the times of the day that the two fields mean.
func times(minute, hour string) []time.Duration {
	inMinute, inHour := cronRule(minute+" * * * *"), cronRule("* "+hour+" * * *")
	at := func(minutes int) time.Time { return time.Date(2000, 1, 1, 0, minutes, 0, 0, time.UTC) }
	var minutes []int
	for m := range 60 {
		if inMinute(at(m)) {
			minutes = append(minutes, m)
		}
	}
	var list []time.Duration
	for h := range 24 {
		if !inHour(at(h * 60)) {
			continue
		}
		for _, m := range minutes {
			list = append(list, time.Duration(h*60+m)*time.Minute)
		}
	}
	return list
}
