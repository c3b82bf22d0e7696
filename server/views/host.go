package views

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"plumb/agent/protocol"
	"plumb/policies"
	"plumb/server/store"
)

// Host is one host in a list.
type Host struct {
	ID     string            `json:"id"`
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
	// Status is the worst of its resources, or stale while it is silent; Since is when that began.
	Status policies.Status         `json:"status"`
	Since  *time.Time              `json:"since,omitempty"`
	Counts map[policies.Status]int `json:"counts"`
	// Release and Commit are what it runs; 0 before its first run.
	Release uint64 `json:"release"`
	Commit  string `json:"commit,omitempty"`
	// LastSeen is when it last called, Ran when its newest reported run ended.
	LastSeen *time.Time `json:"last_seen,omitempty"`
	Ran      *time.Time `json:"ran,omitempty"`
	Enrolled *time.Time `json:"enrolled,omitempty"`
	Revoked  *time.Time `json:"revoked,omitempty"`
	// Reports counts the runs that it reported since its agent's state was made.
	Reports uint64 `json:"reports"`
	Agent   string `json:"agent,omitempty"`
	// Audit is true while the host itself changes nothing, Paused says why.
	Audit  bool            `json:"audit"`
	Paused *protocol.Pause `json:"paused,omitempty"`
	// LeaseExpired is true when its newest run was past its lease: it takes no new release.
	LeaseExpired bool `json:"lease_expired"`
	// Verified is true when the server compiled the very same catalog for it. Mismatch is
	// true when it compiled another one: an alarm. Both are false until the server has looked.
	Verified bool   `json:"verified"`
	Mismatch bool   `json:"mismatch"`
	Problem  string `json:"problem,omitempty"`
}

func hostView(h store.Host) Host {
	return Host{
		ID: string(h.ID), Name: h.Name, Labels: orNone(h.Labels), Status: orUnknown(h.Status), Since: stamp(h.Since),
		Counts: orEmpty(h.Counts), Release: h.Release, Commit: h.Commit, LastSeen: stamp(h.LastSeen), Ran: stamp(h.Ran),
		Enrolled: stamp(h.Enrolled), Revoked: stamp(h.Revoked), Reports: h.Seq, Agent: h.Agent, Audit: h.Audit,
		Paused: h.Paused, LeaseExpired: h.Stale, Verified: h.Expected != "" && !h.Mismatch, Mismatch: h.Mismatch, Problem: h.Problem,
	}
}

func orNone(labels map[string]string) map[string]string {
	if labels == nil {
		return map[string]string{}
	}
	return labels
}

// orUnknown is for hosts that never reported: no answer is never a pass.
func orUnknown(s policies.Status) policies.Status {
	if s == "" {
		return policies.Unknown
	}
	return s
}

// Hosts returns a page of hosts by name.
func (r Reader) Hosts(ctx context.Context, f store.HostFilter) ([]Host, error) {
	rows, err := r.Store.Hosts(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("cannot list hosts: %w", err)
	}
	hosts := make([]Host, 0, len(rows))
	for _, h := range rows {
		hosts = append(hosts, hostView(h))
	}
	return hosts, nil
}

// Detail is one host with everything that is known of it.
type Detail struct {
	Host
	// Resources has one entry for each resource of its catalog, the worst first.
	Resources []Resource `json:"resources"`
	// Events are the newest things that happened to it.
	Events []Event `json:"events"`
	// Facts is what its agent found out, as it was sent.
	Facts json.RawMessage `json:"facts,omitempty"`
	// AsOf is the past instant that was asked about, and Unknown names what nobody wrote down then.
	AsOf    *time.Time `json:"as_of,omitempty"`
	Unknown string     `json:"unknown,omitempty"`
}

// Resource is one resource of a host: what was wanted, where it says so, how it stands.
type Resource struct {
	Address string          `json:"address"`
	Title   string          `json:"title,omitempty"`
	Status  policies.Status `json:"status"`
	Mode    policies.Mode   `json:"mode"`
	Cause   policies.Cause  `json:"cause,omitempty"`
	// From and To are the commits between which policy came to want it, for the cause intentional.
	From     string            `json:"from,omitempty"`
	To       string            `json:"to,omitempty"`
	Severity string            `json:"severity,omitempty"`
	Controls []string          `json:"controls"`
	Changes  []policies.Change `json:"changes"`
	Message  string            `json:"message,omitempty"`
	// Source is where the policy declares it.
	Source policies.Position `json:"source"`
	// By says who changed it, as far as the host's kernel told.
	By string `json:"by,omitempty"`
	// Flapping is set while the host leaves it alone because somebody else fights for it.
	Flapping *policies.Flapping `json:"flapping,omitempty"`
}

// Detail returns one host by its name.
func (r Reader) Detail(ctx context.Context, name string) (Detail, error) {
	h, err := r.Store.HostByName(ctx, name)
	if err != nil {
		return Detail{}, fmt.Errorf("cannot find the host %q: %w", name, err)
	}
	d := Detail{Host: hostView(h)}
	if d.Resources, err = r.resources(ctx, h); err != nil {
		return Detail{}, err
	}
	if d.Events, err = r.Events(ctx, store.EventFilter{Host: h.ID, Limit: 200}); err != nil {
		return Detail{}, err
	}
	d.Facts, err = r.object(ctx, store.KindFacts, h.Facts)
	return d, err
}

// object returns a stored object, or nothing where the host has not sent one yet.
func (r Reader) object(ctx context.Context, kind, digest string) (json.RawMessage, error) {
	if digest == "" {
		return nil, nil
	}
	raw, err := r.Store.Object(ctx, store.Ref{Kind: kind, Digest: digest})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return raw, err
}

func (r Reader) resources(ctx context.Context, h store.Host) ([]Resource, error) {
	var catalog policies.Catalog
	var result policies.Result
	for _, part := range []struct {
		kind, digest string
		into         any
	}{{store.KindCatalog, h.Catalog, &catalog}, {store.KindResult, h.Result, &result}} {
		raw, err := r.object(ctx, part.kind, part.digest)
		if err != nil {
			return nil, fmt.Errorf("cannot read the %s of %s: %w", part.kind, h.Name, err)
		}
		if raw == nil {
			continue
		}
		if err := json.Unmarshal(raw, part.into); err != nil {
			return nil, fmt.Errorf("cannot decode the %s of %s: %w", part.kind, h.Name, err)
		}
	}
	return join(catalog, result), nil
}

// join puts what is wanted beside what was found. A resource without an answer is missing,
// an answer without a resource unexpected.
func join(catalog policies.Catalog, result policies.Result) []Resource {
	found := map[string]policies.ResourceResult{}
	for _, one := range result.Resources {
		found[one.Address] = one
	}
	rows := make([]Resource, 0, len(catalog.Resources))
	for _, want := range catalog.Resources {
		one, ok := found[want.Address]
		if !ok {
			one = policies.ResourceResult{Status: policies.Missing, Mode: want.Mode}
		}
		delete(found, want.Address)
		rows = append(rows, resourceView(want, one))
	}
	for _, one := range result.Resources {
		if _, left := found[one.Address]; left {
			one.Status = policies.Unexpected
			rows = append(rows, resourceView(policies.Resource{Address: one.Address}, one))
		}
	}
	slices.SortStableFunc(rows, func(a, b Resource) int { return b.Status.Rank() - a.Status.Rank() })
	return rows
}

func resourceView(want policies.Resource, one policies.ResourceResult) Resource {
	return Resource{
		Address: want.Address, Title: want.Title, Status: one.Status, Mode: one.Mode, Cause: one.Cause, From: one.From, To: one.To,
		Severity: want.Severity, Controls: list(want.Controls), Changes: list(one.Changes),
		Message: one.Message, Source: want.Source, By: one.By, Flapping: one.Flapping,
	}
}
