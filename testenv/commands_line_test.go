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

// cmdGot fails when more than so many KiB reached a host since its line was set.
func cmdGot(ts *testscript.TestScript, s *scene, args []string) error {
	h, most, err := s.hostAndNumber("got HOST KIB", args)
	if err != nil {
		return err
	}
	got, err := h.Got(context.Background())
	if err != nil {
		return err
	}
	ts.Logf("it got %d KiB", got>>10)
	if got > most<<10 {
		return fmt.Errorf("it got %d KiB, want %d at most", got>>10, most)
	}
	return nil
}

// cmdConnections waits until the server side has so many connections with a host, or none: a little
// more than the minute after which dead ones are given up.
func cmdConnections(ts *testscript.TestScript, s *scene, args []string) error {
	h, want, err := s.hostAndNumber("connections HOST N", args)
	if err != nil {
		return err
	}
	begun := time.Now()
	err = await(70*time.Second, func() error {
		got, err := h.Connections(context.Background())
		if err != nil {
			return stop{err}
		}
		if got != want {
			return fmt.Errorf("there are %d connections, want %d", got, want)
		}
		return nil
	})
	ts.Logf("it took %s", time.Since(begun).Round(time.Second/10))
	return err
}

func (s *scene) hostAndNumber(usage string, args []string) (*testenv.Host, int, error) {
	if len(args) != 2 {
		return nil, 0, fmt.Errorf("usage: %s", usage)
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return nil, 0, fmt.Errorf("cannot read %q: %w", args[1], err)
	}
	h, err := s.host(args[0])
	return h, n, err
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
