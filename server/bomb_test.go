package server_test

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"plumb/agent/protocol"
)

// T13: fifty bombs at once, each of which would become 128 MiB or, in the long run, a gibibyte, are refused and take little memory.
func TestBombsTakeLittleMemory(t *testing.T) {
	r := start(t)
	var certs []tls.Certificate
	for n := range 13 { // a host may have four connections
		cert, _, _, _ := r.enroll(t, fmt.Sprintf("h%d", n))
		certs = append(certs, cert)
	}
	zeros := &bytes.Buffer{}
	z := gzip.NewWriter(zeros)
	size := 128 // MiB: the cap is far below, and to pack a gibibyte takes its time
	if os.Getenv("PLUMB_SOAK") == "1" {
		size = 1024
	}
	for range size {
		_, _ = z.Write(make([]byte, 1<<20))
	}
	_ = z.Close()
	deep := strings.Repeat(`{"a":`, 100_000)
	for name, send := range map[string]func(client) (*http.Request, int){
		"zeros": func(c client) (*http.Request, int) {
			hr, err := http.NewRequest("PUT", c.base+protocol.PathObjects+strings.Repeat("0", 64), bytes.NewReader(zeros.Bytes()))
			if err == nil {
				hr.Header.Set("Content-Encoding", "gzip")
			}
			return hr, http.StatusRequestEntityTooLarge
		},
		"deep": func(c client) (*http.Request, int) {
			hr, _ := http.NewRequest("POST", c.base+protocol.PathCheckIn, strings.NewReader(deep))
			return hr, http.StatusBadRequest
		},
	} {
		var all sync.WaitGroup
		var answered atomic.Int64
		for n := range 50 {
			c := r.overTLS(r.at.Agents, certs[n/4])
			all.Go(func() {
				req, want := send(c)
				resp, err := c.http.Do(req)
				if err != nil {
					return // refused before all of it was read
				}
				defer resp.Body.Close()
				answered.Add(1)
				_, _ = io.Copy(io.Discard, resp.Body)
				if resp.StatusCode != want && resp.StatusCode != http.StatusTooManyRequests {
					t.Errorf("%s: %d, want %d", name, resp.StatusCode, want)
				}
			})
		}
		all.Wait()
		if answered.Load() < 25 {
			t.Errorf("%s: only %d of 50 bombs were answered: the test proves too little", name, answered.Load())
		}
	}
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("needs /proc: reads how much memory was used")
	}
	var peak int
	for line := range strings.Lines(string(raw)) {
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &peak); err == nil {
			break
		}
	}
	t.Logf("the most memory of server and bombers together: %d MiB", peak>>10)
	if peak>>10 > 1024 {
		t.Errorf("server and bombers took %d MiB", peak>>10)
	}
}
