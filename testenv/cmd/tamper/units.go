package main

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

func unitWays() []string {
	return []string{"stop", "kill -s KILL", "disable", "disable --now", "mask --now"}
}

// runs tells whether a service runs and is enabled, without asking systemd, which would cost the
// host more than the mending.
func runs(unit string) bool {
	if _, err := os.Lstat("/run/systemd/units/invocation:" + unit); err != nil {
		return false
	}
	if _, err := os.Lstat("/etc/systemd/system/" + unit); err == nil {
		return false // masked
	}
	_, err := os.Lstat("/etc/systemd/system/multi-user.target.wants/" + unit)
	return err == nil
}

// upTime is how long the agent watches whether a service that it started stays up. What happens in
// that time is mended after it, so services are tampered with at longer distances.
const upTime = 1500 * time.Millisecond

// units tampers with one service after the other. The clock starts when the service is first seen to
// be wrong.
func units(prefix string, n int) []sample {
	var list []sample
	for i := range n {
		way, unit := unitWays()[i%len(unitWays())], prefix+strconv.Itoa(i)+".service"
		cmd := exec.Command("systemctl", append(append([]string{"-q"}, strings.Fields(way)...), unit)...)
		must(cmd.Start())
		wrong := time.Now()
		for asked := wrong; runs(unit) && time.Since(asked) < patience; wrong = time.Now() {
			time.Sleep(time.Millisecond)
		}
		must(cmd.Wait())
		done := time.Now()
		took, never := await(wrong, time.Millisecond, func() bool { return runs(unit) })
		after := time.Since(done)
		time.Sleep(upTime)
		list = append(list, sample{way, took, after, never || !runs(unit) || exec.Command("systemctl", "-q", "is-active", unit).Run() != nil})
	}
	return list
}
