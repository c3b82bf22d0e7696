package views

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"plumb/policies/calendar"
	"plumb/policies/screen"
)

// ICal returns the calendar as RFC 5545 wants it, for calendar programs. Openings on the
// clock of each host are floating times, which every reader sees on the own clock.
func (c Calendar) ICal(now time.Time) []byte {
	var b strings.Builder
	write := func(format string, args ...any) { fold(&b, fmt.Sprintf(format, args...)) }
	write("BEGIN:VCALENDAR")
	write("VERSION:2.0")
	write("PRODID:-//Plumb//Windows and freezes//EN")
	write("X-WR-CALNAME:%s", escape(strings.TrimSpace("Plumb windows "+c.Host)))
	for _, o := range c.Openings {
		event(write, entry{id: "window-" + o.Window, host: c.Host, start: o.Start, end: o.End, floating: o.Floating(),
			title: o.title(), note: o.note()}, now)
	}
	for _, f := range c.Freezes {
		event(write, entry{id: "freeze-" + f.Name, host: c.Host, start: f.From, end: f.Until, title: "Freeze " + f.Name, note: freezeNote(f)}, now)
	}
	write("END:VCALENDAR")
	return []byte(b.String())
}

// entry is one event of the feed.
type entry struct {
	id, host    string
	start, end  time.Time
	floating    bool
	title, note string
}

func event(write func(string, ...any), e entry, now time.Time) {
	const stamp = "20060102T150405"
	write("BEGIN:VEVENT")
	write("UID:%s-%d-%s@plumb", escape(e.id), e.start.Unix(), escape(e.host))
	write("DTSTAMP:%sZ", now.UTC().Format(stamp))
	if e.floating {
		write("DTSTART:%s", e.start.UTC().Format(stamp))
		write("DTEND:%s", e.end.UTC().Format(stamp))
	} else {
		write("DTSTART:%sZ", e.start.UTC().Format(stamp))
		write("DTEND:%sZ", e.end.UTC().Format(stamp))
	}
	write("SUMMARY:%s", escape(e.title))
	if e.note != "" {
		write("DESCRIPTION:%s", escape(e.note))
	}
	write("TRANSP:TRANSPARENT")
	write("END:VEVENT")
}

func (o Opening) title() string {
	if o.Frozen != "" {
		return fmt.Sprintf("Window %s (frozen by %s)", o.Window, o.Frozen)
	}
	return "Window " + o.Window
}

func (o Opening) note() string {
	var parts []string
	if len(o.Classes) > 0 {
		parts = append(parts, "For "+strings.Join(o.Classes, ", ")+".")
	}
	if last := o.End.Sub(o.Cutoff); last > 0 {
		parts = append(parts, fmt.Sprintf("Nothing starts in the last %s.", last))
	}
	return strings.Join(parts, " ")
}

func freezeNote(f calendar.Freeze) string {
	parts := []string{f.Reason}
	if len(f.Groups) > 0 {
		parts = append(parts, "For "+strings.Join(f.Groups, ", "))
	}
	if len(f.Classes) > 0 {
		parts = append(parts, "Stops "+strings.Join(f.Classes, ", "))
	}
	if len(f.Allow) > 0 {
		parts = append(parts, "Lets pass: "+strings.Join(f.Allow, ", "))
	}
	return strings.TrimSpace(strings.Join(parts, "\n"))
}

// escape writes text as a value of iCalendar.
func escape(text string) string {
	return screen.Text(strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\r\n", `\n`, "\n", `\n`, "\r", `\n`).Replace(text))
}

// fold writes a line in pieces of 75 bytes at most, and never cuts a character.
func fold(b *strings.Builder, line string) {
	const most = 75
	room := most
	for _, r := range line {
		n := utf8.RuneLen(r)
		if n > room {
			b.WriteString("\r\n ")
			room = most - 1
		}
		b.WriteRune(r)
		room -= n
	}
	b.WriteString("\r\n")
}
