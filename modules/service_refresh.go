package modules

import (
	"context"
	"fmt"
	"strings"
	"time"

	"plumb/modules/system"
)

// settleTime is how long a service that was started has to stay up to be believed. One of
// type simple counts as started before it has read its configuration.
const settleTime = time.Second

// trial is what a service was put through in this run, and has to be looked at once more for.
type trial struct {
	seen     system.Unit // what Check found
	relinked bool        // systemd does not know of its links yet
	up       system.Unit // as it was right after its start, without a name when it was not started
	until    time.Time   // when a hasty death would have shown
}

// Refresh reloads or restarts the unit. One that does not run is left alone: when it is
// wanted running, Apply has started it, and with the new configuration.
func (s *Service) Refresh(ctx context.Context, sys *system.System) error {
	if s.OnNotify == "none" || isFalse(s.Running) {
		return nil
	}
	if !sys.SystemdRuns() {
		return fmt.Errorf("%w: %w", ErrUnknown, system.ErrNoSystemd)
	}
	u, err := sys.Unit(ctx, s.Identity())
	if err != nil {
		return whetherAsked(err)
	}
	if err := s.readAgain(ctx, sys, u); err != nil || !u.Running() {
		return err
	}
	if err := sys.ChangeUnit(ctx, strings.ReplaceAll(s.OnNotify, "_", "-"), s.Identity()); err != nil {
		return s.withLog(ctx, sys, err)
	}
	return s.begun(ctx, sys)
}

// begun looks at the unit right after its job.
func (s *Service) begun(ctx context.Context, sys *system.System) error {
	u, err := sys.UnitState(ctx, s.Identity())
	if err != nil {
		return err
	}
	if !u.Running() {
		return s.withLog(ctx, sys, s.died(u))
	}
	if u.Type != "oneshot" {
		s.up, s.until = u, time.Now().Add(settleTime)
	}
	return nil
}

// Settles is when a hasty death would have shown, or when systemd may be told of links.
func (s *Service) Settles() (time.Time, bool) { return s.until, s.relinked || s.up.Name != "" }

// Settled reloads systemd if that is owed, and looks whether the unit stayed up. Before its time it
// only tells of one that failed: whoever stopped it in between did just that.
func (s *Service) Settled(ctx context.Context, sys *system.System) error {
	if s.relinked {
		if err := s.reload(ctx, sys); err != nil {
			return err
		}
	}
	if s.up.Name == "" {
		return nil
	}
	first, early := s.up, time.Now().Before(s.until)
	s.up = system.Unit{}
	u, err := sys.UnitState(ctx, s.Identity())
	if err != nil {
		return err
	}
	if u.Active == "failed" || u.Restarts != first.Restarts || !u.Running() && !early {
		return s.withLog(ctx, sys, s.died(u))
	}
	return nil
}

// reload makes systemd know of the links of this unit and of all others.
func (s *Service) reload(ctx context.Context, sys *system.System) error {
	s.relinked = false
	return sys.ReloadLinks(ctx)
}

func (s *Service) died(u system.Unit) error {
	if u.Type == "oneshot" && u.Active == "inactive" {
		return fmt.Errorf("%s does its work and ends (Type=oneshot): it cannot be kept running, leave running out", u.Name)
	}
	return fmt.Errorf("%s did not stay up, it is %s", u.Name, runWords(u))
}

// withLog adds the unit's last words to an error.
func (s *Service) withLog(ctx context.Context, sys *system.System, err error) error {
	said := sys.UnitLog(ctx, s.Identity(), 5)
	if said == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, said)
}
