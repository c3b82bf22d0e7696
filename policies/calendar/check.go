package calendar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	day         = 24 * 60 * 60
	maxDuration = 31 * day
	maxOffset   = 31
)

// Check returns what is wrong with a window that a person wrote, nil when it can be used.
func (w Window) Check() error {
	switch {
	case w.Duration < 60 || w.Duration > maxDuration:
		return errors.New("the duration is between one minute and 31 days")
	case w.Cutoff < 0 || w.Cutoff >= w.Duration:
		return errors.New("the cutoff is shorter than the duration, or nothing could ever start")
	case w.OffsetDays < 0 || w.OffsetDays > maxOffset:
		return fmt.Errorf("the offset is between 0 and %d days", maxOffset)
	case w.Cron != "" && w.Start != "":
		return errors.New("a cron holds the hour already, so a start beside it has no meaning")
	case !w.From.IsZero() && w.From.Year() < 2000:
		return errors.New("from is in the year 2000 or later")
	case !w.Until.IsZero() && !w.From.Before(w.Until):
		return errors.New("until is later than from")
	}
	if err := checkClasses(w.Classes); err != nil {
		return err
	}
	return w.checkRule()
}

func (w Window) checkRule() error {
	s, err := w.schedule(time.UTC)
	if err != nil {
		return err
	}
	begin := w.From
	if begin.IsZero() {
		begin = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if _, ok := s.next(begin.Add(-time.Nanosecond)); !ok {
		return errors.New("it never opens: no day fits the rule, or until comes before the first one")
	}
	return nil
}

// Check returns what is wrong with a freeze that a person wrote, nil when it can be used.
func (f Freeze) Check() error {
	if f.From.IsZero() || f.Until.IsZero() || !f.From.Before(f.Until) {
		return errors.New("until is later than from")
	}
	return checkClasses(f.Classes)
}

func checkClasses(list []string) error {
	for _, one := range list {
		if !slices.Contains(Classes(), one) {
			return fmt.Errorf("%q is no class of change; the classes are %s", one, strings.Join(Classes(), ", "))
		}
	}
	return nil
}

// covers tells whether a list of classes, of which none stands for all, has the class.
func covers(list []string, class string) bool {
	return len(list) == 0 || slices.Contains(list, class)
}
