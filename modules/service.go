package modules

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"plumb/modules/system"
	"plumb/policies"
)

// Service is the kind service: one unit of systemd.
type Service struct {
	Name     string `json:"name" plumb:"required" doc:"Name of the unit. Without an ending such as .timer it means a .service."`
	Running  *bool  `json:"running,omitempty" doc:"Whether it runs now. Left alone when it is not given."`
	Enabled  *bool  `json:"enabled,omitempty" doc:"Whether it starts with the host. Left alone when it is not given."`
	Masked   *bool  `json:"masked,omitempty" doc:"Whether it is kept from being started at all. Left alone when it is not given."`
	OnNotify string `json:"on_notify,omitempty" doc:"What a notification does: reload_or_restart (default), reload, restart or none. One that does not run is left alone."`

	trial
}

func serviceKind() Kind {
	return Kind{
		Name: "service", Rank: 60,
		Doc: "A unit of systemd: whether it runs, whether it starts with the host, whether it is masked. Starting waits for the " +
			"job and looks again a moment later: a service that dies at once is an error with its last words. " +
			"A unit that is not installed does not run and is not enabled.",
		New: func() Resource { return &Service{OnNotify: "reload_or_restart"} },
	}
}

var unitName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_:.\\@][A-Za-z0-9_:.\\@-]*$`) })

// Identity is the unit's full name.
func (s *Service) Identity() string { return system.UnitName(s.Name) }

// Provides is unit:NAME.service.
func (s *Service) Provides() []string { return []string{"unit:" + s.Identity()} }

// Needs names what commonly brings the unit: its file, its drop-in folder and the package of the same name.
func (s *Service) Needs() []string {
	unit := s.Identity()
	bare := strings.TrimSuffix(unit, ".service")
	list := []string{"package:" + bare}
	for _, dir := range []string{"/etc/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/"} {
		list = append(list, "path:"+dir+unit, "path:"+dir+unit+".d")
	}
	return list
}

// Validate looks at the name and at wishes that exclude each other.
func (s *Service) Validate() []Mistake {
	list := oneOf("on_notify", s.OnNotify, "reload_or_restart", "reload", "restart", "none")
	if len(s.Name) > 255 || !unitName().MatchString(s.Name) {
		list = append(list, Mistake{"name", fmt.Sprintf("%q cannot be a unit's name: use letters, digits and : _ . - @.", s.Name)})
	}
	if isTrue(s.Masked) && isTrue(s.Enabled) {
		list = append(list, Mistake{"masked", "A masked unit cannot be enabled: leave one of the two out."})
	}
	if isTrue(s.Masked) && isTrue(s.Running) {
		list = append(list, Mistake{"masked", "A masked unit cannot be started: leave one of the two out."})
	}
	if s.Masked == nil && s.Enabled == nil && s.Running == nil && s.OnNotify == "none" {
		list = append(list, Mistake{"", "This service asks for nothing. Give running, enabled or masked."})
	}
	return list
}

func isTrue(b *bool) bool { return b != nil && *b }

func isFalse(b *bool) bool { return b != nil && !*b }

// Check asks systemd.
func (s *Service) Check(ctx context.Context, sys *system.System) ([]policies.Change, error) {
	u, err := sys.SeenUnit(ctx, s.Identity())
	if err != nil {
		return nil, whetherAsked(err)
	}
	s.seen = u
	if s.Running != nil && !sys.SystemdRuns() {
		return nil, fmt.Errorf("%w: %w", ErrUnknown, system.ErrNoSystemd)
	}
	var changes []policies.Change
	add := func(attribute, before string, after bool) {
		changes = append(changes, policies.Change{Attribute: attribute, Before: before, After: fmt.Sprint(after)})
	}
	if s.Masked != nil && *s.Masked != u.Masked() && u.Installed() {
		add("masked", fmt.Sprint(u.Masked()), *s.Masked)
	}
	if s.Enabled != nil && !s.enablingFits(u) {
		add("enabled", fileWords(u), *s.Enabled)
	}
	if s.Running != nil && *s.Running != stirring(u, *s.Running) {
		add("running", runWords(u), *s.Running)
	}
	return changes, nil
}

// enablingFits tells whether the state of the unit's file is what is wanted. A static unit
// has no way of its own to be enabled: other units start it, so both wishes are met.
func (s *Service) enablingFits(u system.Unit) bool {
	switch u.File {
	case "static", "indirect", "generated", "transient":
		return true
	case "enabled", "alias":
		return *s.Enabled
	case "enabled-runtime", "linked", "linked-runtime":
		return false
	default:
		return !*s.Enabled
	}
}

// stirring tells whether the unit counts as running. One that is wanted stopped must have
// come to rest: stopping and starting again by itself are not rest.
func stirring(u system.Unit, wanted bool) bool {
	if wanted || !u.Installed() {
		return u.Running()
	}
	return u.Active != "inactive" && u.Active != "failed"
}

func fileWords(u system.Unit) string {
	if !u.Installed() {
		return "not installed"
	}
	if u.File == "" {
		return "no unit file"
	}
	return u.File
}

func runWords(u system.Unit) string {
	if !u.Installed() {
		return "not installed"
	}
	return fmt.Sprintf("%s (%s)", u.Active, u.Sub)
}

// Apply unmasks, enables or disables, starts or stops, and masks last, in this order.
func (s *Service) Apply(ctx context.Context, sys *system.System, changes []policies.Change) error {
	u := s.seen
	if !u.Installed() { // nobody has called Check, or it has come since
		var err error
		if u, err = sys.Unit(ctx, s.Identity()); err != nil {
			return whetherAsked(err)
		}
	}
	if !u.Installed() {
		return fmt.Errorf("unit %s is not installed", s.Identity())
	}
	if err := s.readAgain(ctx, sys, u); err != nil {
		return err
	}
	for _, verb := range s.verbs(changes) {
		if err := s.change(ctx, sys, verb); err != nil {
			return err
		}
	}
	return nil
}

// verbs are the verbs of systemctl that make the changes.
func (s *Service) verbs(changes []policies.Change) []string {
	has := func(attribute string, wanted *bool) bool {
		return wanted != nil && slices.ContainsFunc(changes, func(c policies.Change) bool { return c.Attribute == attribute })
	}
	pick := func(wanted *bool, yes, no string) string {
		if *wanted {
			return yes
		}
		return no
	}
	var verbs []string
	if has("masked", s.Masked) && !*s.Masked {
		verbs = append(verbs, "unmask")
	}
	if has("enabled", s.Enabled) {
		verbs = append(verbs, pick(s.Enabled, "enable", "disable"))
	}
	if has("running", s.Running) {
		verbs = append(verbs, pick(s.Running, "start", "stop"))
	}
	if has("masked", s.Masked) && *s.Masked {
		verbs = append(verbs, "mask")
	}
	return verbs
}

func (s *Service) change(ctx context.Context, sys *system.System, verb string) error {
	if verb == "start" {
		return s.start(ctx, sys)
	}
	err := sys.ChangeUnit(ctx, verb, s.Identity())
	if errors.Is(err, system.ErrNoSystemd) {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	s.relinked = s.relinked || err == nil && verb != "stop" && sys.SystemdRuns()
	return err
}

// start starts the unit, and once more after a reload where systemd does not know yet that its links
// are others, as of one that was masked.
func (s *Service) start(ctx context.Context, sys *system.System) error {
	err := sys.ChangeUnit(ctx, "start", s.Identity())
	if err != nil && s.relinked {
		if err := s.reload(ctx, sys); err != nil {
			return err
		}
		err = sys.ChangeUnit(ctx, "start", s.Identity())
	}
	if errors.Is(err, system.ErrNoSystemd) {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	if err != nil {
		return s.withLog(ctx, sys, err)
	}
	return s.begun(ctx, sys)
}

// readAgain makes systemd read unit files that changed under it; else it would start the old ones.
func (s *Service) readAgain(ctx context.Context, sys *system.System, u system.Unit) error {
	if !u.NeedReload {
		return nil
	}
	return sys.ReloadUnits(ctx)
}
