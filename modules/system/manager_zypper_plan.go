package system

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Exit codes of zypper that are no failures, or that say more than one.
const (
	zypperProblem  = 4   // the solver finds no way
	zypperLocked   = 7   // another holds the lock
	zypperReboot   = 102 // done, a reboot is wanted
	zypperRestart  = 103 // done, zypper itself was replaced
	zypperNotFound = 104
	zypperScript   = 107 // done, a package script failed
)

// run calls zypper with answers as XML. It asks nothing, and refreshes nothing by itself.
func (z zypperManager) run(ctx context.Context, limit time.Duration, args ...string) (Output, error) {
	argv := append([]string{"zypper", "--non-interactive", "--xmlout", "--no-refresh"}, args...)
	return z.s.Run(ctx, Command{Argv: argv, Timeout: limit, MaxOutput: rpmMaxOutput})
}

// query is a call that must succeed.
func (z zypperManager) query(ctx context.Context, args ...string) (zypperAnswer, error) {
	out, err := z.run(ctx, dnfQueryLimit, args...)
	if err != nil {
		return zypperAnswer{}, err
	}
	if out.Code != 0 && out.Code != zypperNotFound {
		return zypperAnswer{}, zypperFailure(out)
	}
	return parseZypper(out.Stdout)
}

func zypperFailure(out Output) error {
	if out.Code == zypperLocked {
		return fmt.Errorf("zypper's lock %w: %s", ErrBusy, out.LastWords())
	}
	words := out.LastWords()
	if answer, err := parseZypper(out.Stdout); err == nil && len(answer.errors) > 0 {
		words = strings.Join(capChain(answer.errors), "; ")
	}
	return fmt.Errorf("zypper failed (exit %d): %s", out.Code, words)
}

// zypperAnswer is what we use of a zypper's XML.
type zypperAnswer struct {
	rpmTransaction
	updates []zypperUpdate
	found   []zypperSolvable
	locks   []string
	errors  []string
}

// zypperUpdate is one newer version that zypper would go to.
type zypperUpdate struct {
	Kind       string `xml:"kind,attr"`
	Name       string `xml:"name,attr"`
	Edition    string `xml:"edition,attr"`
	EditionOld string `xml:"edition-old,attr"`
	Arch       string `xml:"arch,attr"`
	Source     struct {
		Alias string `xml:"alias,attr"`
	} `xml:"source"`
}

type zypperSolvable struct {
	Type    string `xml:"type,attr"`
	Kind    string `xml:"kind,attr"`
	Name    string `xml:"name,attr"`
	Edition string `xml:"edition,attr"`
	Arch    string `xml:"arch,attr"`
	// Repository is its name, in a search.
	Repository string `xml:"repository,attr"`
}

// parseZypper reads an answer element by element; what it does not know it goes into or past.
func parseZypper(raw []byte) (zypperAnswer, error) {
	var a zypperAnswer
	decoder := xml.NewDecoder(strings.NewReader(strings.ToValidUTF8(string(raw), "?")))
	group := ""
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return a, fmt.Errorf("cannot read what zypper says: %w", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if strings.HasPrefix(start.Name.Local, "to-") {
			group = start.Name.Local
			continue
		}
		if err := a.take(decoder, start, group); err != nil {
			return a, fmt.Errorf("cannot read what zypper says: %w", err)
		}
	}
}

// take reads one element.
func (a *zypperAnswer) take(decoder *xml.Decoder, start xml.StartElement, group string) error {
	switch start.Name.Local {
	case "install-summary":
		a.download, a.disk = numberOf(start, "download-size"), numberOf(start, "space-usage-diff")
	case "solvable":
		return a.takeSolvable(decoder, start, group)
	case "update":
		var u zypperUpdate
		if err := decoder.DecodeElement(&u, &start); err != nil {
			return err
		}
		a.updates = append(a.updates, u)
	case "prompt":
		var prompt struct {
			Description string `xml:"description"`
		}
		if err := decoder.DecodeElement(&prompt, &start); err != nil {
			return err
		}
		a.problem = append(a.problem, zypperChain(prompt.Description)...)
	case "message":
		return a.takeMessage(decoder, start)
	case "lock":
		var lock struct {
			Name string `xml:"name"`
			Type string `xml:"type"`
		}
		if err := decoder.DecodeElement(&lock, &start); err != nil {
			return err
		}
		a.locks = append(a.locks, lock.Name)
	}
	return nil
}

func (a *zypperAnswer) takeSolvable(decoder *xml.Decoder, start xml.StartElement, group string) error {
	var v zypperSolvable
	if err := decoder.DecodeElement(&v, &start); err != nil {
		return err
	}
	switch {
	case v.Kind != "" && v.Kind != "package" || v.Type != "" && v.Type != "package":
	case group == "":
		a.found = append(a.found, v)
	case strings.HasPrefix(group, "to-remove"):
		a.removed = append(a.removed, v.Name)
	default:
		a.changes = append(a.changes, rpmTarget(v.Name, v.Arch, v.Edition))
	}
	return nil
}

func (a *zypperAnswer) takeMessage(decoder *xml.Decoder, start xml.StartElement) error {
	var message struct {
		Type string `xml:"type,attr"`
		Text string `xml:",chardata"`
	}
	if err := decoder.DecodeElement(&message, &start); err != nil {
		return err
	}
	text := strings.TrimSpace(message.Text)
	if message.Type == "error" || strings.Contains(text, "scriptlet failed") {
		a.errors = append(a.errors, strings.Join(strings.Fields(text), " "))
	}
	return nil
}

func numberOf(e xml.StartElement, name string) int64 {
	for _, attr := range e.Attr {
		if attr.Name.Local == name {
			n, _ := strconv.ParseInt(attr.Value, 10, 64)
			return n
		}
	}
	return 0
}

// zypperChain takes the reasons out of a question; the ways out that zypper proposes stay away.
func zypperChain(description string) []string {
	var chain []string
	for line := range strings.Lines(description) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "Solution ") {
			break
		}
		if _, rest, ok := strings.Cut(line, "Problem: "); ok {
			line = rest
		}
		if line != "" {
			chain = append(chain, line)
		}
	}
	return capChain(chain)
}

// PlanPatch simulates.
func (z zypperManager) PlanPatch(ctx context.Context, wanted []Target) (PatchPlan, error) {
	if len(wanted) == 0 {
		return PatchPlan{}, nil
	}
	installed, err := rpmDatabase(z).packages(ctx)
	if err != nil {
		return PatchPlan{}, err
	}
	available, err := z.available(ctx, wanted)
	if err != nil {
		return PatchPlan{}, err
	}
	p := rpmPlanner{simulate: z.simulate, installed: installed, available: available}
	return p.run(ctx, wanted)
}

// available looks up all versions of the wanted packages.
func (z zypperManager) available(ctx context.Context, wanted []Target) (map[Target]rpmAvailable, error) {
	args := []string{"search", "--details", "--match-exact", "--type", "package", "--"}
	for _, t := range wanted {
		args = append(args, t.rpmName())
	}
	answer, err := z.query(ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot ask zypper for the versions it knows: %w", err)
	}
	found := map[Target]rpmAvailable{}
	for _, v := range answer.found {
		if v.Repository != "(System Packages)" { // installed, and in no repository
			found[rpmTarget(v.Name, v.Arch, v.Edition)] = rpmAvailable{}
		}
	}
	for _, t := range wanted {
		if _, ok := found[t]; ok {
			continue
		}
		if _, fetched := z.locate(t); fetched {
			found[t] = rpmAvailable{fetchedOnly: true}
		}
	}
	return found, nil
}

// call installs, or pretends to, exactly these versions. Those that no repository has any more go
// by the file that was fetched.
func (z zypperManager) call(ctx context.Context, limit time.Duration, wanted []Target, options ...string) (Output, error) {
	args := slices.Concat([]string{"install", "--no-recommends", "--oldpackage", "--auto-agree-with-licenses"}, options, []string{"--"})
	var specs []string
	for _, t := range wanted {
		specs = append(specs, t.zypperSpec())
	}
	out, err := z.run(ctx, limit, append(args, specs...)...)
	if err != nil || out.Code != zypperNotFound {
		return out, err
	}
	available, err := z.available(ctx, wanted)
	if err != nil {
		return out, err
	}
	specs, changed := rpmDatabase(z).fetchedSpecs(wanted, available, z.locate, Target.zypperSpec)
	if !changed {
		return out, nil
	}
	return z.run(ctx, limit, append(args, specs...)...)
}

// zypperSpec is what zypper takes for exactly this version.
func (t Target) zypperSpec() string { return t.rpmName() + t.dotArch() + "=" + t.Version }

// simulate asks what the installation of exactly these versions comes to.
func (z zypperManager) simulate(ctx context.Context, wanted []Target) (rpmTransaction, error) {
	out, err := z.call(ctx, dnfQueryLimit, wanted, "--dry-run", "--details")
	if err != nil {
		return rpmTransaction{}, err
	}
	answer, err := parseZypper(out.Stdout)
	if err != nil {
		return rpmTransaction{}, err
	}
	t := answer.rpmTransaction
	switch {
	case out.Code == 0 || out.Code == zypperReboot || out.Code == zypperRestart:
		t.problem = nil // the only question was whether to go on
	case out.Code == zypperNotFound:
		t.problem = capChain(answer.errors)
	case out.Code != zypperProblem || len(t.problem) == 0:
		return t, zypperFailure(out)
	default:
		t.problem = append(z.lockedHere(ctx, wanted), t.problem...)
	}
	return t, nil
}

// lockedHere says what zypper itself does not: that somebody locked a package.
func (z zypperManager) lockedHere(ctx context.Context, wanted []Target) []string {
	answer, err := z.query(ctx, "locks")
	if err != nil {
		return nil
	}
	var chain []string
	for _, t := range wanted {
		if zypperLocks(answer.locks, t.rpmName()) {
			chain = append(chain, t.rpmName()+" is locked on this host")
		}
	}
	return chain
}
