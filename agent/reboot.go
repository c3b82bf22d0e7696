package agent

import (
	"context"
	"fmt"
	"strings"
	"time"

	"plumb/modules/system"
	"plumb/policies"
)

const (
	rebootFile = "reboot.json"
	// rebootPatience is how long a reboot that was asked for may take to come.
	rebootPatience = 10 * time.Minute
	// lastWordLimit bounds the one try to reach the server before a reboot.
	lastWordLimit = 30 * time.Second
)

// asked is what is remembered of a reboot that was asked for, so that neither a round nor a
// restart of the agent asks again and again.
type asked struct {
	Boot   string    `json:"boot"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
	// Times counts the requests during this boot, Failed is the error of the newest.
	Times  int    `json:"times"`
	Failed string `json:"failed,omitempty"`
}

// recent tells whether the reboot may still be on its way.
func (o asked) recent(now time.Time) bool {
	waited := now.Sub(o.At)
	return o.Times > 0 && waited >= 0 && waited < rebootPatience
}

// asked returns what was asked for during this boot of the host.
func (r *round) asked() (o asked, there bool) {
	there, err := r.Dir.Load(rebootFile, &o)
	if err != nil {
		r.Log.Warn("it is not known when a reboot was asked for", "error", err)
		return asked{}, true
	}
	if o.Boot != r.found.BootID {
		return asked{}, there
	}
	return o, there
}

// boot asks for the reboot that the round wants. The report is in the spool by then; the server
// gets one try at it. It is remembered before it is asked for.
func (r *round) boot(ctx context.Context) error {
	old, there := r.asked()
	if r.out.Reboot == "" {
		if there {
			return r.Dir.Remove(rebootFile)
		}
		return nil
	}
	now := r.Now()
	if r.Reboot == nil || old.recent(now) {
		return nil
	}
	r.lastWord(ctx)
	if ctx.Err() != nil {
		return nil // the agent is being stopped; the cycle goes on when it is back
	}
	next := asked{Boot: r.found.BootID, Reason: r.out.Reboot, At: now, Times: old.Times + 1}
	if err := r.Dir.Save(rebootFile, next); err != nil {
		return err
	}
	r.Log.Warn("the host is booted again", "reason", next.Reason, "times", next.Times)
	if err := r.Reboot(context.WithoutCancel(ctx), next.Reason); err != nil {
		r.Log.Error("the host cannot be booted again", "error", err)
		next.Failed = oneLine(err.Error())
		return r.Dir.Save(rebootFile, next)
	}
	return nil
}

// lastWord tries once to tell the server what waits in the spool.
func (r *round) lastWord(ctx context.Context) {
	if r.spool.Len() == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lastWordLimit)
	defer cancel()
	var err error
	if r.client == nil {
		err = r.dial()
	}
	if err == nil {
		_, err = r.deliver(ctx)
	}
	if err != nil {
		r.Log.Warn("the server is told after the reboot", "error", err)
	}
}

// tellReboot adds to a result that a reboot was asked for and has not come.
func (r *round) tellReboot(done *ran) {
	old, _ := r.asked()
	if done.reboot == "" || old.Failed == "" && (old.Times < 2 && old.recent(r.Now()) || old.Times == 0) {
		return
	}
	text := fmt.Sprintf("the reboot was asked for %d times and has not come", old.Times)
	if old.Times == 1 {
		text = "the reboot was asked for and has not come"
	}
	if old.Failed != "" {
		text += ": " + old.Failed
	}
	for i := range done.result.Resources {
		one := &done.result.Resources[i]
		if one.Patched != nil && one.Patched.Phase == policies.PhaseReboot {
			one.Message = strings.TrimPrefix(one.Message+"; "+text, "; ")
		}
	}
}

// BootAgain boots the host below the root again, in the way of systemd.
func BootAgain(root string) func(context.Context, string) error {
	return func(ctx context.Context, _ string) error {
		out, err := (&system.System{Root: root}).Run(ctx, system.Command{Argv: []string{"systemctl", "reboot"}, Timeout: time.Minute})
		if err == nil && out.Code != 0 {
			err = fmt.Errorf("systemctl ended with %d: %s", out.Code, oneLine(string(out.Stderr)))
		}
		if err != nil {
			return fmt.Errorf("cannot boot the host again: %w", err)
		}
		return nil
	}
}
