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
	return s.mustStayUp(ctx, sys)
}

// mustStayUp looks twice: right after the job and when a hasty death would have shown.
func (s *Service) mustStayUp(ctx context.Context, sys *system.System) error {
	first, err := sys.Unit(ctx, s.Identity())
	if err != nil {
		return err
	}
	if !first.Running() {
		return s.withLog(ctx, sys, s.died(first))
	}
	if first.Type == "oneshot" {
		return nil
	}
	wait := time.NewTimer(settleTime)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	second, err := sys.Unit(ctx, s.Identity())
	if err != nil {
		return err
	}
	if !second.Running() || second.Restarts != first.Restarts {
		return s.withLog(ctx, sys, s.died(second))
	}
	return nil
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
