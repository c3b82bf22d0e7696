package web

import (
	"fmt"

	"plumb/server/api"
	"plumb/server/views"
)

// controlsPage is how the fleet stands with the controls that resources are evidence for.
type controlsPage struct {
	frame
	Past       past
	Compliance views.Compliance
	Frameworks []framework
}

// framework is a set of controls, with how many of them stand how.
type framework struct {
	Name     string
	Bar      []piece
	Share    string
	Controls []controlRow
}

// controlRow is one control.
type controlRow struct {
	views.ControlStanding
	Bar []piece
	// Link are the hosts, Drift what does not pass.
	Link, Drift string
	// Spark is how hosts stood over the last days.
	Spark spark
}

func (s *site) controls(c *api.Call) (any, error) {
	all, then, err := s.complianceThen(c, "/controls")
	if err != nil {
		return nil, err
	}
	list := frameworks(all.Frameworks)
	for _, f := range list {
		f.then(then)
	}
	if err := s.spark(c, then, controlSparks(list)); err != nil {
		return nil, err
	}
	return s.show("controls", controlsPage{frame: then.moved(s.frame(c, "Controls", "/controls")), Past: then, Compliance: all, Frameworks: list})
}

// verdicts are those of a control in the order of the bar.
var verdicts = []struct{ verdict, mark, words string }{
	{views.VerdictPass, "compliant", "pass"}, {views.VerdictWaived, "waived", "waived"}, {views.VerdictWaiting, "pending", "waiting"},
	{views.VerdictUnknown, "unknown", "unknown"}, {views.VerdictFail, "noncompliant", "fail"},
}

func frameworks(list []views.ControlFramework) []framework {
	var all []framework
	for i, one := range list {
		f := framework{Name: one.Name}
		counts := map[string]int{}
		for _, control := range one.Controls {
			counts[control.Verdict]++
			f.Controls = append(f.Controls, controlRow{ControlStanding: control, Bar: standingBar("control", control.Control, control.Status),
				Link: standingLink("control", control.Control, ""), Drift: past{}.Drift("control", control.Control)})
		}
		var bar []piece
		for _, v := range verdicts {
			bar = append(bar, piece{Mark: v.mark, Words: v.words, Count: counts[v.verdict], Link: fmt.Sprintf("/controls#framework-%d", i)})
		}
		f.Bar, f.Share = lay(bar), share(counts[views.VerdictPass], len(one.Controls))
		all = append(all, f)
	}
	return all
}

// then has it lead to lists of the same instant.
func (f framework) then(p past) {
	thenLinks(p, f.Bar)
	for i := range f.Controls {
		one := &f.Controls[i]
		one.Link, one.Drift, one.Bar = p.To(one.Link), p.To(one.Drift), thenLinks(p, one.Bar)
	}
}

// Title is what the framework is called.
func (f framework) Title() string {
	if f.Name == "" {
		return "Without a framework"
	}
	return f.Name
}
