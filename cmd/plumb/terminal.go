package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"plumb/policies/screen"
	"plumb/server/api"
	"plumb/server/views"
)

// terminal is where a command reads and writes, and the flags that all commands share.
type terminal struct {
	in   io.Reader
	out  io.Writer
	errs io.Writer
	data string
	json bool
}

// newTerminal writes what others wrote so that it cannot steer the terminal of whoever reads it.
func newTerminal(in io.Reader, out, errs io.Writer) *terminal {
	return &terminal{in: in, out: screen.Writer(out), errs: screen.Writer(errs)}
}

// client finds the server: over the network when PLUMB_ADDR is set, else by the socket.
func (t *terminal) client() (*api.Client, error) {
	if addr := os.Getenv("PLUMB_ADDR"); addr != "" {
		return api.RemoteClient(addr, os.Getenv("PLUMB_TOKEN"), os.Getenv("PLUMB_CACERT"))
	}
	return api.LocalClient(t.data), nil
}

// get asks the server and shows the answer: as JSON with --json, else by print.
func get[T any](ctx context.Context, t *terminal, path string, print func(T)) (T, error) {
	return call(ctx, t, "GET", path, nil, print)
}

func call[T any](ctx context.Context, t *terminal, method, path string, in any, print func(T)) (T, error) {
	var answer T
	c, err := t.client()
	if err != nil {
		return answer, err
	}
	if err := c.Call(ctx, method, path, in, &answer); err != nil {
		return answer, err
	}
	return answer, t.show(answer, func() { print(answer) })
}

// show prints a value as JSON or for a person.
func (t *terminal) show(value any, print func()) error {
	if !t.json {
		print()
		return nil
	}
	raw, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	_, err = t.out.Write(append(screen.JSON(raw), '\n'))
	return err
}

// table prints rows of cells in columns; the first row is the head. A cell is one line, whoever wrote it.
func (t *terminal) table(rows [][]string) {
	w := tabwriter.NewWriter(t.out, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = screen.Line(cell)
		}
		fmt.Fprintln(w, strings.TrimRight(strings.Join(row, "\t"), "\t "))
	}
	w.Flush()
}

// say prints a line. What it tells of may have several, of which no further one begins at the margin.
func (t *terminal) say(format string, args ...any) { sayTo(t.out, format, args) }

// note is say for what is no result.
func (t *terminal) note(format string, args ...any) { sayTo(t.errs, format, args) }

func sayTo(w io.Writer, format string, args []any) {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = screen.Margin(text)
		}
	}
	fmt.Fprintf(w, format+"\n", args...)
}

// ago tells a time as people do: how long since.
func ago(then *time.Time, now time.Time) string {
	if then == nil {
		return "never"
	}
	return views.Ago(now.Sub(*then))
}
