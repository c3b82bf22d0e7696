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

// header is the first line that the child reads; the bundle follows with the length that it names.
// The limits hold before anything else is read.
type header struct {
	Memory     int64 `json:"memory"`
	CPUSeconds int64 `json:"cpu_seconds"`
	Bundle     int   `json:"bundle"`
}

// question is the line behind the bundle; the hosts and the advisories follow as JSON. It comes later:
// a caller may know the tree before it knows the hosts, and the child loads it meanwhile.
type question struct {
	Hosts      int `json:"hosts"`
	Advisories int `json:"advisories"`
	// Explain is Request.Explain.
	Explain string `json:"explain,omitempty"`
}

// encodeTree returns what the child gets first.
func encodeTree(bundle []byte, limits Limits) ([][]byte, error) {
	head, err := json.Marshal(header{Memory: limits.Memory, CPUSeconds: wholeSeconds(limits.CPU), Bundle: len(bundle)})
	if err != nil {
		return nil, fmt.Errorf("cannot encode the limits: %w", err)
	}
	return [][]byte{append(head, '\n'), bundle}, nil
}

// encodeQuestion returns what the child gets then.
func encodeQuestion(req Request) ([][]byte, error) {
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
	head, err := json.Marshal(question{Hosts: len(list), Advisories: len(advisories), Explain: req.Explain})
	if err != nil {
		return nil, fmt.Errorf("cannot encode the question: %w", err)
	}
	return [][]byte{append(head, '\n'), list, advisories}, nil
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
	var head header
	if err := readLine(r, &head); err != nil {
		return header{}, err
	}
	if !fits(head.Bundle, bundle.MaxBytes) {
		return header{}, fmt.Errorf("the request is too large: %d bytes of policy", head.Bundle)
	}
	return head, nil
}

func readLine(r *bufio.Reader, into any) error {
	line, err := r.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, into)
	}
	if err != nil {
		return fmt.Errorf("cannot read the request: %w", err)
	}
	return nil
}

func fits(n, most int) bool { return n >= 0 && n <= most }

func readBundle(r io.Reader, head header) ([]byte, error) {
	raw := make([]byte, head.Bundle)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("cannot read the request: %w", err)
	}
	return raw, nil
}

func readQuestion(r *bufio.Reader) (Request, error) {
	var head question
	if err := readLine(r, &head); err != nil {
		return Request{}, err
	}
	if !fits(head.Hosts, maxHosts) || !fits(head.Advisories, maxAdvisories) {
		return Request{}, fmt.Errorf("the request is too large: %d bytes of hosts, %d of advisories", head.Hosts, head.Advisories)
	}
	list, advisories := make([]byte, head.Hosts), make([]byte, head.Advisories)
	for _, part := range [][]byte{list, advisories} {
		if _, err := io.ReadFull(r, part); err != nil {
			return Request{}, fmt.Errorf("cannot read the request: %w", err)
		}
	}
	req := Request{Explain: head.Explain}
	if err := json.Unmarshal(list, &req.Hosts); err != nil {
		return Request{}, fmt.Errorf("cannot read the hosts of the request: %w", err)
	}
	if err := json.Unmarshal(advisories, &req.Advisories); err != nil {
		return Request{}, fmt.Errorf("cannot read the advisories of the request: %w", err)
	}
	return req, nil
}
