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
			f.Controls = append(f.Controls, controlRow{control, standingBar("control", control.Control, control.Status),
				standingLink("control", control.Control, ""), link("/drift", map[string][]string{"control": {control.Control}}, "")})
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

// then makes it one of the past: the lists behind its numbers are those of now, and not its own.
func (f framework) then(p past) {
	if !p.Is() {
		return
	}
	for i := range f.Bar {
		f.Bar[i].Link = p.To("/controls") + f.Bar[i].Link[len("/controls"):]
	}
	for i := range f.Controls {
		f.Controls[i].Link, f.Controls[i].Drift, f.Controls[i].Bar = "", "", unlinked(f.Controls[i].Bar)
	}
}

// Title is what the framework is called.
func (f framework) Title() string {
	if f.Name == "" {
		return "Without a framework"
	}
	return f.Name
}
