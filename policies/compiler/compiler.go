// Package compiler runs the policy language in a child process with limits.
//
// A policy is foreign text even when its signature is good: a mistake in it must not take the
// agent or the server down. The child has no network, no privileges, little memory and little
// time; when it dies, the caller gets an error and lives on. Both mains hand their argument
// "_compile" to [Child].
package compiler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"plumb/policies"
	"plumb/policies/calendar"
	"plumb/policies/lang"
	"plumb/policies/patch"
)

// Argument is the first argument that makes either main call Child.
const Argument = "_compile"

// ErrDied is wrapped when the child ended without an answer: too costly, or a fault in it.
var ErrDied = errors.New("the policy compiler died")

// Request asks for the catalogs of some hosts.
type Request struct {
	// Bundle is what bundle.Pack returned; its digest was verified before.
	Bundle []byte
	// Hosts are the hosts to compile for; with none the tree is only checked.
	Hosts []lang.Input
	// Advisories are those to ask the emergency lanes of rollouts about; none asks nothing.
	Advisories []patch.Advisory
	// Explain, when set, is an address whose resource is explained for the first host; nothing is
	// compiled then.
	Explain string
}

// Response is what the tree makes of the hosts.
type Response struct {
	// Problems are the mistakes of the tree itself. With an error among them Hosts is empty.
	Problems []policies.Problem `json:"problems"`
	// Policies are the policy blocks of the tree, by name.
	Policies []policies.PolicyInfo `json:"policies"`
	// Rollouts are the rollout blocks of the tree.
	Rollouts []policies.Rollout `json:"rollouts"`
	// Windows and Freezes are those of the tree, by name.
	Windows []calendar.Window `json:"windows"`
	Freezes []calendar.Freeze `json:"freezes"`
	// Waivers are those of the tree, by name.
	Waivers []policies.Waiver `json:"waivers"`
	// Emergencies names, for each rollout with an emergency lane, those of the advisories asked
	// for that cannot wait, sorted.
	Emergencies map[string][]string `json:"emergencies,omitempty"`
	// Unjudged are the mistakes that show at an advisory, which is no emergency then; they are no
	// mistakes of the tree itself.
	Unjudged []policies.Problem `json:"unjudged,omitempty"`
	// Hosts has one entry for each host asked for, in the same order.
	Hosts []Compiled `json:"hosts"`
	// Explained answers Request.Explain.
	Explained *lang.Why `json:"explained,omitempty"`
}

// Compiled is the outcome for one host.
type Compiled struct {
	// Catalog is the canonical JSON without sensitive values, whose SHA-256 is Digest.
	Catalog json.RawMessage `json:"catalog"`
	Digest  string          `json:"digest"`
	// Secret has the whole attributes of the resources with sensitive ones, by address. It stays
	// where it was compiled.
	Secret map[string]json.RawMessage `json:"secret,omitempty"`
	// Before is the digest that agents give which do not take sensitive values out; empty where
	// there are none.
	Before string `json:"before,omitempty"`
	// Reads and Groups are as in lang.Output.
	Reads  []string `json:"reads"`
	Groups []string `json:"groups"`
	// Terms is what the tree says about the patching of the host.
	Terms patch.Terms `json:"terms"`
	// Problems are the mistakes that show on this host; with an error the catalog is empty.
	Problems []policies.Problem `json:"problems"`
}

// Limits bound the child. A zero stands for the default.
type Limits struct {
	// Memory is the address space beyond what the program needs to start, in bytes; 1 GiB.
	Memory int64
	// CPU is processor time, in whole seconds; 30 s.
	CPU time.Duration
	// Wall is time on the clock; 60 s.
	Wall time.Duration
}

// Compiler starts children.
type Compiler struct {
	// Exe is the program that calls Child for Argument; empty is the running program.
	Exe    string
	Limits Limits
}

func (l Limits) filled() Limits {
	if l.Memory == 0 {
		l.Memory = 1 << 30
	}
	if l.CPU == 0 {
		l.CPU = 30 * time.Second
	}
	if l.Wall == 0 {
		l.Wall = 60 * time.Second
	}
	return l
}

// Compile runs one child. An error means that there is no answer; mistakes in policies are
// in the response.
func (c Compiler) Compile(ctx context.Context, req Request) (Response, error) {
	return c.Begin(ctx, req.Bundle).Ask(req)
}

// Begun is a child at work on a tree. It ends with its context, when nobody asks it.
type Begun struct {
	rest   chan [][]byte
	answer chan outcome
}

type outcome struct {
	raw []byte
	err error
}

// Begin starts a child that loads the tree, while the caller finds out about the hosts.
func (c Compiler) Begin(ctx context.Context, bundle []byte) *Begun {
	b := &Begun{rest: make(chan [][]byte, 1), answer: make(chan outcome, 1)}
	go c.serve(ctx, bundle, b)
	return b
}

// serve gives the answer out when it is whole, and sees the child to its end then.
func (c Compiler) serve(ctx context.Context, bundle []byte, b *Begun) {
	limits := c.Limits.filled()
	input, err := encodeTree(bundle, limits)
	if err != nil {
		b.answer <- outcome{nil, err}
		return
	}
	// The kernel kills the child when the thread that started it ends, so keep the thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	wall, cancel := context.WithTimeout(ctx, limits.Wall)
	defer cancel()
	p, err := c.run(wall, &feed{parts: input, rest: b.rest, done: wall.Done()}, limits)
	if err != nil {
		b.answer <- outcome{nil, err}
		return
	}
	raw, err := p.answer()
	b.answer <- outcome{raw, err}
	_ = p.wait()
}

// Ask asks about the hosts and the advisories of the request, whose bundle is not looked at, and
// waits for the answer. It is called once.
func (b *Begun) Ask(req Request) (Response, error) {
	parts, err := encodeQuestion(req)
	b.rest <- parts // nothing, when the request cannot be encoded: the child ends
	out := <-b.answer
	if err = errors.Join(err, out.err); err != nil {
		return Response{}, fmt.Errorf("cannot compile the policies: %w", err)
	}
	res, err := readReply(out.raw)
	if err != nil {
		return Response{}, fmt.Errorf("cannot compile the policies: %w: its answer cannot be read: %w", ErrDied, err)
	}
	return res, nil
}

// feed is what the child reads: the tree, and the question when it is there.
type feed struct {
	parts [][]byte
	rest  <-chan [][]byte
	done  <-chan struct{}
	asked bool
}

// Read waits for the question, and ends when nobody waits for the answer any more.
func (f *feed) Read(p []byte) (int, error) {
	for {
		if len(f.parts) > 0 {
			n := copy(p, f.parts[0])
			if f.parts[0] = f.parts[0][n:]; len(f.parts[0]) == 0 {
				f.parts = f.parts[1:]
			}
			if n > 0 {
				return n, nil
			}
			continue
		}
		if f.asked {
			return 0, io.EOF
		}
		select {
		case f.parts = <-f.rest:
			f.asked = true
		case <-f.done:
			return 0, io.EOF
		}
	}
}
