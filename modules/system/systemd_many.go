package system

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// unitMemory is what was found out about units of which somebody will ask, in their order: a call of
// systemctl costs as much for a hundred units as for one.
type unitMemory struct {
	mu       sync.Mutex
	expected []string
	known    map[string]Unit
	batch    int
}

// ExpectUnits says of which units [System.SeenUnit] will be asked.
func (s *System) ExpectUnits(names []string) {
	s.units.mu.Lock()
	defer s.units.mu.Unlock()
	s.units.expected, s.units.known, s.units.batch = names, map[string]Unit{}, maxUnits
}

// maxUnits is how many units are asked for at once.
const maxUnits = 500

// ForgetUnits is called when something may have changed units. What is asked next begins with few of
// them: where one thing has to change often more have.
func (s *System) ForgetUnits() {
	s.units.mu.Lock()
	defer s.units.mu.Unlock()
	clear(s.units.known)
	s.units.batch = 1
}

// SeenUnit is as [System.Unit], but the answer may be from when the units before it were asked for.
func (s *System) SeenUnit(ctx context.Context, name string) (Unit, error) {
	if !s.SystemdRuns() {
		return s.unitFile(ctx, name)
	}
	s.units.mu.Lock()
	defer s.units.mu.Unlock()
	if u, ok := s.units.known[name]; ok {
		return u, nil
	}
	at := slices.Index(s.units.expected, name)
	if at < 0 {
		return s.Unit(ctx, name)
	}
	names := s.units.expected[at:min(len(s.units.expected), at+s.units.batch)]
	list, err := s.askUnits(ctx, names)
	if err != nil {
		return s.Unit(ctx, name) // the fault may be another unit's
	}
	s.units.batch = min(2*s.units.batch, maxUnits)
	for i, u := range list {
		s.units.known[names[i]] = u
	}
	return list[0], nil
}

// askUnits asks systemd about units. What systemd remembers of their files may be old: it notices
// links that were made or removed without it only when it is reloaded. So the files are asked for apart.
func (s *System) askUnits(ctx context.Context, names []string) ([]Unit, error) {
	var files <-chan unitWords
	if len(names) == 1 {
		files = s.askFiles(ctx, names) // meanwhile
	}
	list, err := s.showUnits(ctx, names)
	if err != nil {
		return nil, err
	}
	var with []string
	for _, u := range list {
		if u.File != "" {
			with = append(with, u.Name) // its own: of another name systemctl says no more than that it is one
		}
	}
	if files == nil || len(with) == 1 && with[0] != names[0] {
		files = s.askFiles(ctx, with)
	}
	return list, s.fill(list, len(with), <-files)
}

// fill takes what was said of the units that have a file. systemctl stops at one whose file has just
// gone; then what systemd remembers has to do, where only that one was asked for.
func (s *System) fill(list []Unit, with int, files unitWords) error {
	switch {
	case with == 0 || files.err == nil && len(files.words) == 0 && len(list) == 1:
		return nil
	case files.err != nil:
		return files.err
	case len(files.words) != with:
		return fmt.Errorf("systemctl tells of %d of %d units whether they are enabled", len(files.words), with)
	}
	for i := range list {
		if list[i].File != "" {
			list[i].File, files.words = files.words[0], files.words[1:]
		}
	}
	return nil
}

// showUnits asks what systemd itself knows.
func (s *System) showUnits(ctx context.Context, names []string) ([]Unit, error) {
	out, err := s.must(ctx, Command{
		Argv:    append([]string{"systemctl", "show", "--no-pager", "--property=" + unitProperties, "--"}, names...),
		Timeout: unitQueryLimit,
	})
	if err != nil {
		return nil, err
	}
	return parseUnits(names, out)
}

// unitWords is what systemctl says of the links of units, such as enabled or masked.
type unitWords struct {
	words []string
	err   error
}

func (s *System) askFiles(ctx context.Context, names []string) <-chan unitWords {
	done := make(chan unitWords, 1)
	go func() {
		out, err := s.Run(ctx, Command{Argv: append([]string{"systemctl", "is-enabled", "--"}, names...), Timeout: unitQueryLimit})
		done <- unitWords{strings.Fields(string(out.Stdout)), err} // its exit code says that one is disabled
	}()
	return done
}

// parseUnits reads what systemctl show says about units, with an empty line between two.
func parseUnits(names []string, out string) ([]Unit, error) {
	blocks := strings.Split(strings.TrimSpace(out), "\n\n")
	if len(blocks) != len(names) {
		return nil, fmt.Errorf("cannot read what systemctl says: %d units were asked for and %d came", len(names), len(blocks))
	}
	var list []Unit
	for i, block := range blocks {
		u, err := parseUnit(names[i], block)
		if err != nil {
			return nil, err
		}
		list = append(list, u)
	}
	return list, nil
}
