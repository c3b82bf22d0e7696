package system

import (
	"context"
	"errors"
	"fmt"
)

// ErrNoTool is wrapped when a program of the operating system is not installed.
var ErrNoTool = errors.New("the program is not installed")

// must runs a program whose failure is an error; that carries the last lines it said.
func (s *System) must(ctx context.Context, c Command) (string, error) {
	out, err := s.Run(ctx, c)
	if err != nil {
		return "", err
	}
	if out.Code != 0 {
		return "", fmt.Errorf("%s failed (exit %d): %s", c.Argv[0], out.Code, out.LastWords())
	}
	return string(out.Stdout), nil
}
