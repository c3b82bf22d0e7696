package compiler

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"plumb/policies/bundle"
	"plumb/policies/lang"
	"plumb/policies/patch"
)

// header is the first line that the child reads. The hosts and the advisories as JSON and then
// the bundle follow with the lengths that it names. The limits hold before anything else is read.
type header struct {
	Memory     int64 `json:"memory"`
	CPUSeconds int64 `json:"cpu_seconds"`
	Hosts      int   `json:"hosts"`
	Advisories int   `json:"advisories"`
	Bundle     int   `json:"bundle"`
	// Explain is Request.Explain.
	Explain string `json:"explain,omitempty"`
}

func encode(req Request, limits Limits) ([][]byte, error) {
	hosts := req.Hosts
	if hosts == nil {
		hosts = []lang.Input{}
	}
	list, err := json.Marshal(hosts)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the hosts to compile for: %w", err)
	}
	advisories, err := json.Marshal(shortened(req.Advisories))
	if err != nil {
		return nil, fmt.Errorf("cannot encode the advisories: %w", err)
	}
	head, err := json.Marshal(header{Memory: limits.Memory, CPUSeconds: wholeSeconds(limits.CPU), Hosts: len(list), Advisories: len(advisories), Bundle: len(req.Bundle), Explain: req.Explain})
	if err != nil {
		return nil, fmt.Errorf("cannot encode the limits: %w", err)
	}
	return [][]byte{append(head, '\n'), list, advisories, req.Bundle}, nil
}

// shortened leaves out what an advisory affects: no policy reads it, and it is most of the text.
func shortened(list []patch.Advisory) []patch.Advisory {
	short := make([]patch.Advisory, len(list))
	for i, one := range list {
		one.Affected = nil
		short[i] = one
	}
	return short
}

func wholeSeconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }

// How many bytes of hosts with their facts, and of advisories, fit into one request.
const (
	maxHosts      = 256 << 20
	maxAdvisories = 256 << 20
)

func readHeader(r *bufio.Reader) (header, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return header{}, fmt.Errorf("cannot read the request: %w", err)
	}
	var head header
	if err := json.Unmarshal(line, &head); err != nil {
		return header{}, fmt.Errorf("cannot read the request: %w", err)
	}
	if !fits(head.Hosts, maxHosts) || !fits(head.Advisories, maxAdvisories) || !fits(head.Bundle, bundle.MaxBytes) {
		return header{}, fmt.Errorf("the request is too large: %d bytes of hosts, %d of advisories, %d of policy", head.Hosts, head.Advisories, head.Bundle)
	}
	return head, nil
}

func fits(n, most int) bool { return n >= 0 && n <= most }

func readRequest(r io.Reader, head header) (Request, error) {
	list, advisories, raw := make([]byte, head.Hosts), make([]byte, head.Advisories), make([]byte, head.Bundle)
	for _, part := range [][]byte{list, advisories, raw} {
		if _, err := io.ReadFull(r, part); err != nil {
			return Request{}, fmt.Errorf("cannot read the request: %w", err)
		}
	}
	req := Request{Bundle: raw, Explain: head.Explain}
	if err := json.Unmarshal(list, &req.Hosts); err != nil {
		return Request{}, fmt.Errorf("cannot read the hosts of the request: %w", err)
	}
	if err := json.Unmarshal(advisories, &req.Advisories); err != nil {
		return Request{}, fmt.Errorf("cannot read the advisories of the request: %w", err)
	}
	return req, nil
}
