package modules

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"plumb/modules/system"
	"plumb/policies"
)

// ListeningPorts is the check of what the host listens on.
type ListeningPorts struct {
	Allowed        []string `json:"allowed,omitempty" doc:"All that may listen: \"tcp/22\", \"tcp/127.0.0.1:25\", \"udp/[::1]:53\", \"8000-8010\" (tcp and udp). Anything else is one change each. UDP ports of the range that callers get are not counted."`
	Forbidden      []string `json:"forbidden,omitempty" doc:"What must not listen, spelled the same way."`
	LoopbackOnly   []string `json:"loopback_only,omitempty" doc:"What may listen on loopback addresses only, spelled the same way."`
	IgnoreLoopback bool     `json:"ignore_loopback,omitempty" doc:"Leave sockets on loopback addresses out of allowed: only the host itself reaches them."`
}

func listeningPortsCheckKind() Kind {
	return Kind{
		Name: "listening_ports", Check: true, Rank: 100,
		Doc: "Which TCP and UDP ports the host listens on, as the kernel tells it, with the program behind each.",
		New: func() Resource { return &ListeningPorts{} },
	}
}

// Identity is the whole declaration.
func (p *ListeningPorts) Identity() string { return wholeIdentity(p) }

// Validate reads the three lists.
func (p *ListeningPorts) Validate() []Mistake {
	var list []Mistake
	for _, one := range p.lists() {
		for _, text := range one.specs {
			if _, err := parsePortSpec(text); err != nil {
				list = append(list, Mistake{one.attribute, err.Error() + "."})
			}
		}
	}
	if p.Allowed == nil && len(p.Forbidden) == 0 && len(p.LoopbackOnly) == 0 {
		list = append(list, Mistake{"", "This check asks for nothing. Give allowed, forbidden or loopback_only."})
	}
	return list
}

type portList struct {
	attribute string
	specs     []string
}

func (p *ListeningPorts) lists() []portList {
	return []portList{{"allowed", p.Allowed}, {"forbidden", p.Forbidden}, {"loopback_only", p.LoopbackOnly}}
}

// portSpec is one entry of a list. An empty protocol or an invalid address is any.
type portSpec struct {
	protocol    string
	address     netip.Addr
	first, last uint16
}

func parsePortSpec(text string) (portSpec, error) {
	fail := fmt.Errorf("%q is no port: write tcp/22, tcp/127.0.0.1:25, udp/[::1]:53, 443 or 8000-8010", text)
	var spec portSpec
	rest := text
	if protocol, after, ok := strings.Cut(text, "/"); ok {
		if protocol != "tcp" && protocol != "udp" {
			return spec, fail
		}
		spec.protocol, rest = protocol, after
	}
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		address, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(rest[:i], "["), "]"))
		if err != nil {
			return spec, fail
		}
		spec.address, rest = address.Unmap(), rest[i+1:]
	}
	from, to, isRange := strings.Cut(rest, "-")
	if !isRange {
		to = from
	}
	first, err := strconv.ParseUint(from, 10, 16)
	last, lastErr := strconv.ParseUint(to, 10, 16)
	if err != nil || lastErr != nil || first == 0 || last < first {
		return spec, fail
	}
	spec.first, spec.last = uint16(first), uint16(last)
	return spec, nil
}

func (s portSpec) matches(l system.Listener) bool {
	port, address := l.At.Port(), l.At.Addr().Unmap()
	return port >= s.first && port <= s.last && (s.protocol == "" || s.protocol == l.Protocol) &&
		(!s.address.IsValid() || s.address == address)
}

// portRules are the three lists, read.
type portRules struct {
	allowed, forbidden, loopback []portSpec
}

// Check compares the kernel's sockets with the lists.
func (p *ListeningPorts) Check(_ context.Context, sys *system.System) ([]policies.Change, error) {
	listeners, err := sys.Listeners()
	if err != nil {
		return nil, whetherAsked(err)
	}
	rules, err := p.rules()
	if err != nil {
		return nil, err
	}
	first, last := sys.EphemeralPorts()
	var changes []policies.Change
	for _, l := range listeners {
		passing := l.Protocol == "udp" && l.At.Port() >= first && l.At.Port() <= last
		if attribute, after := p.judge(rules, l, passing); attribute != "" {
			changes = append(changes, policies.Change{Attribute: attribute, Before: l.String(), After: after})
		}
	}
	return slices.Compact(changes), nil // several sockets may share one port
}

func (p *ListeningPorts) rules() (portRules, error) {
	var r portRules
	var errs []error
	for i, one := range p.lists() {
		target := []*[]portSpec{&r.allowed, &r.forbidden, &r.loopback}[i]
		for _, text := range one.specs {
			spec, err := parsePortSpec(text)
			errs = append(errs, err)
			*target = append(*target, spec)
		}
	}
	return r, errors.Join(errs...)
}

// judge names the list that the listener offends, the strictest first, and what is wanted.
// passing is true for a UDP port that the kernel gave to a caller for a moment.
func (p *ListeningPorts) judge(r portRules, l system.Listener, passing bool) (attribute, after string) {
	in := func(list []portSpec) bool {
		return slices.ContainsFunc(list, func(s portSpec) bool { return s.matches(l) })
	}
	switch {
	case in(r.forbidden):
		return "forbidden", "closed"
	case in(r.loopback) && !l.Loopback():
		return "loopback_only", "on loopback addresses only"
	case p.Allowed == nil || passing || p.IgnoreLoopback && l.Loopback() || in(r.allowed) || in(r.loopback):
		return "", ""
	default:
		return "allowed", "closed"
	}
}
