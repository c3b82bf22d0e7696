package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"plumb/testenv"
)

// cmdLine makes a host's line as bad as its words say; without any it is good again.
func cmdLine(_ *testscript.TestScript, s *scene, args []string) error {
	if len(args) == 0 {
		return errors.New("usage: line HOST [loss=PERCENT] [rate=RATE] [breaks=BYTES] [stalls=BYTES]")
	}
	h, err := s.host(args[0])
	if err != nil {
		return err
	}
	var l testenv.Line
	numbers := map[string]*int{"loss": &l.Loss, "breaks": &l.Breaks, "stalls": &l.Stalls}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		if name == "rate" {
			l.Rate = value
			continue
		}
		number, known := numbers[name]
		if !known {
			return fmt.Errorf("a line has no %q", name)
		}
		if *number, err = strconv.Atoi(value); err != nil {
			return fmt.Errorf("cannot read %s: %w", arg, err)
		}
	}
	return h.SetLine(context.Background(), l)
}

// cmdWithin is exits with a limit: the command has to end by itself in so many seconds.
func cmdWithin(ts *testscript.TestScript, s *scene, args []string) error {
	if len(args) < 3 {
		return errors.New("usage: within SECONDS CODE COMMAND...")
	}
	seconds, err := strconv.Atoi(args[0])
	if err != nil {
		return fmt.Errorf("cannot read the seconds: %w", err)
	}
	begun := time.Now()
	if err := cmdExits(ts, s, args[1:]); err != nil {
		return fmt.Errorf("after %s: %w", time.Since(begun).Round(time.Second), err)
	}
	took := time.Since(begun)
	ts.Logf("it took %s", took.Round(time.Second/10))
	if took > time.Duration(seconds)*time.Second {
		return fmt.Errorf("it took %s, want %d seconds at most", took, seconds)
	}
	return nil
}
