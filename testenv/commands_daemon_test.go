package testenv_test

import (
	"context"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// often makes the agent's service call every two seconds, and start again soon after a kill.
const often = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=\nExecStart=/usr/bin/plumb-agent run --interval 2s\nRestartSec=200ms\n"

// cmdDaemon enrols hosts and lets the agent run on them as a service.
func cmdDaemon(_ *testscript.TestScript, s *scene, names []string) error {
	for _, name := range names {
		if err := s.enrol(name, "--install"); err != nil {
			return err
		}
		h, err := s.host(name)
		if err != nil {
			return err
		}
		if _, err := h.Exec(context.Background(), "mkdir", "-p", "/etc/systemd/system/plumb-agent.service.d"); err != nil {
			return err
		}
		if err := h.Write("/etc/systemd/system/plumb-agent.service.d/often.conf", strings.NewReader(often), 0o644); err != nil {
			return err
		}
		if _, err := h.Exec(context.Background(), "systemctl", "daemon-reload"); err != nil {
			return err
		}
		if _, err := h.Exec(context.Background(), "systemctl", "enable", "--now", "plumb-agent"); err != nil {
			return err
		}
	}
	return nil
}
