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
	// Policies counts the policy blocks of the tree.
	Policies int `json:"policies"`
	// Rollouts are the rollout blocks of the tree.
	Rollouts []policies.Rollout `json:"rollouts"`
	// Windows and Freezes are those of the tree, by name.
	Windows []calendar.Window `json:"windows"`
	Freezes []calendar.Freeze `json:"freezes"`
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

// maxAnswer is how many bytes of the child's answer are read.
const maxAnswer = 256 << 20

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
	limits := c.Limits.filled()
	input, err := encode(req, limits)
	if err != nil {
		return Response{}, err
	}
	// The kernel kills the child when the thread that started it ends, so keep the thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	wall, cancel := context.WithTimeout(ctx, limits.Wall)
	defer cancel()
	answer, err := c.run(wall, input, limits)
	if err != nil {
		return Response{}, fmt.Errorf("cannot compile the policies: %w", err)
	}
	return decode(answer)
}

func decode(answer []byte) (Response, error) {
	var res Response
	if err := json.Unmarshal(answer, &res); err != nil {
		return Response{}, fmt.Errorf("cannot compile the policies: %w: its answer cannot be read: %w", ErrDied, err)
	}
	return res, nil
}
