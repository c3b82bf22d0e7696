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
)

// header is the first line that the child reads. The hosts as JSON and then the bundle follow
// with the lengths that it names. The limits hold before anything else is read.
type header struct {
	Memory     int64 `json:"memory"`
	CPUSeconds int64 `json:"cpu_seconds"`
	Hosts      int   `json:"hosts"`
	Bundle     int   `json:"bundle"`
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
	head, err := json.Marshal(header{Memory: limits.Memory, CPUSeconds: wholeSeconds(limits.CPU), Hosts: len(list), Bundle: len(req.Bundle)})
	if err != nil {
		return nil, fmt.Errorf("cannot encode the limits: %w", err)
	}
	return [][]byte{append(head, '\n'), list, req.Bundle}, nil
}

func wholeSeconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }

// maxHosts is how many bytes of hosts with their facts fit into one request.
const maxHosts = 256 << 20

func readHeader(r *bufio.Reader) (header, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return header{}, fmt.Errorf("cannot read the request: %w", err)
	}
	var head header
	if err := json.Unmarshal(line, &head); err != nil {
		return header{}, fmt.Errorf("cannot read the request: %w", err)
	}
	if head.Hosts < 0 || head.Hosts > maxHosts || head.Bundle < 0 || head.Bundle > bundle.MaxBytes {
		return header{}, fmt.Errorf("the request is too large: %d bytes of hosts, %d of policy", head.Hosts, head.Bundle)
	}
	return head, nil
}

func readRequest(r io.Reader, head header) (Request, error) {
	list, raw := make([]byte, head.Hosts), make([]byte, head.Bundle)
	for _, part := range [][]byte{list, raw} {
		if _, err := io.ReadFull(r, part); err != nil {
			return Request{}, fmt.Errorf("cannot read the request: %w", err)
		}
	}
	req := Request{Bundle: raw}
	if err := json.Unmarshal(list, &req.Hosts); err != nil {
		return Request{}, fmt.Errorf("cannot read the hosts of the request: %w", err)
	}
	return req, nil
}
