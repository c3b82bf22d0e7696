// Package ports finds addresses on loopback for servers of tests and trials.
package ports

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// The kernel gives outgoing connections ports from 32768 on: one of those could take the place of a server before it listens.
const (
	first  = 20_000
	beyond = 32_000
	tries  = 1000
)

// Free returns n addresses "127.0.0.1:PORT" on which nobody listens.
func Free(n int) ([]string, error) {
	var list []string
	for try := 0; len(list) < n; try++ {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(beyond-first)))
		if err != nil && try < tries {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot find a free port: %w", err)
		}
		defer ln.Close() // held until all are found, so that none comes twice
		list = append(list, ln.Addr().String())
	}
	return list, nil
}
