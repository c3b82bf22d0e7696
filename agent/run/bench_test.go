package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"plumb/agent/cause"
	"plumb/modules"
	"plumb/modules/system"
	"plumb/policies"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// box is a test kind: a file that holds a text. Its faults are attributes.
type box struct {
	Path, Text                      string
	Fail, Panic, Wait, Unknown, Lie bool
	RefreshFails, Slow              bool
	Trace                           string // a file to which each act is appended
}

func (b *box) Identity() string            { return b.Path }
func (b *box) Validate() []modules.Mistake { return nil }
func (b *box) note(what string)            { appendTo(b.Trace, what+" "+filepath.Base(b.Path)+"\n") }
func (b *box) Provides() []string          { return []string{"path:" + b.Path} }
func (b *box) Needs() []string             { return nil }
func appendTo(path, text string) {
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	f.WriteString(text)
}

func (b *box) Check(context.Context, *system.System) ([]policies.Change, error) {
	switch {
	case b.Panic:
		panic("a fault")
	case b.Wait:
		return nil, fmt.Errorf("dpkg is locked: %w", modules.ErrWait)
	case b.Unknown:
		return nil, fmt.Errorf("no tool: %w", modules.ErrUnknown)
	}
	raw, _ := os.ReadFile(b.Path)
	if string(raw) == b.Text {
		return nil, nil
	}
	return []policies.Change{{Attribute: "text", Before: string(raw), After: b.Text}}, nil
}

func (b *box) Apply(context.Context, *system.System, []policies.Change) error {
	b.note("apply")
	if b.Fail {
		return errors.New("cannot write " + b.Text)
	}
	if b.Lie {
		return nil
	}
	return os.WriteFile(b.Path, []byte(b.Text), 0o600)
}

func (b *box) Refresh(context.Context, *system.System) error {
	if b.Slow {
		time.Sleep(10 * time.Millisecond) // so that a kill often comes here
	}
	b.note("refresh")
	if b.RefreshFails {
		return errors.New("it does not start")
	}
	return nil
}

func decodeBox(r policies.Resource) (modules.Resource, error) {
	b := &box{}
	return b, json.Unmarshal(r.Attributes, b)
}

// bench is a host with a journal and a memory that outlive its runs.
type bench struct {
	t      *testing.T
	dir    string
	memory cause.Memory
	edit   func(*Runner)
	times  policies.Catalog // its windows and freezes
}

func newBench(t *testing.T) *bench { return &bench{t: t, dir: t.TempDir()} }

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) box(name string, edit func(*policies.Resource, *box)) policies.Resource {
	b.t.Helper()
	one := &box{Path: b.path(name), Text: "good " + name, Trace: b.path("trace")}
	r := policies.Resource{Address: "box." + name, Kind: "box", Mode: policies.Enforce}
	if edit != nil {
		edit(&r, one)
	}
	raw, err := json.Marshal(one)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Attributes = raw
	return r
}

func (b *bench) try(ctx context.Context, list ...policies.Resource) (policies.Result, error) {
	b.t.Helper()
	j, err := OpenJournal(b.dir, time.Time{})
	if err != nil {
		b.t.Fatal(err)
	}
	defer j.Close()
	r := &Runner{Decode: decodeBox, System: &system.System{Root: "/"}, Journal: j, Memory: b.memory}
	if b.edit != nil {
		b.edit(r)
	}
	catalog := b.times
	catalog.Resources = list
	result, err := r.Run(ctx, catalog, "digest", now)
	if err != nil {
		return result, err
	}
	b.memory = r.Memory
	return result, j.Reported()
}

func (b *bench) run(list ...policies.Resource) []policies.ResourceResult {
	b.t.Helper()
	result, err := b.try(context.Background(), list...)
	if err != nil {
		b.t.Fatal(err)
	}
	return result.Resources
}

func (b *bench) trace() string {
	raw, _ := os.ReadFile(b.path("trace"))
	os.Remove(b.path("trace"))
	return strings.ReplaceAll(strings.TrimSpace(string(raw)), "\n", ", ")
}

func brief(list []policies.ResourceResult) string {
	var out []string
	for _, r := range list {
		text := string(r.Status)
		if r.Cause != "" {
			text += "/" + string(r.Cause)
		}
		if r.Refreshed {
			text += "+refreshed"
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}
