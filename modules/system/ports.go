package system

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Listener is one socket that waits for others to call.
type Listener struct {
	// Protocol is tcp or udp.
	Protocol string
	// At is where it listens; 0.0.0.0 and :: are all addresses.
	At netip.AddrPort
	// Process is the name of the program behind it, empty when that cannot be told.
	Process string

	inode string
}

func (l Listener) String() string {
	where := l.Protocol + "/" + l.At.String()
	if l.Process == "" {
		return where
	}
	return where + " (" + l.Process + ")"
}

// Loopback tells whether only the host itself can reach it.
func (l Listener) Loopback() bool { return l.At.Addr().Unmap().IsLoopback() }

// Listeners returns all sockets that listen in the host's network, sorted. The kernel's
// tables are of the running host: below another root the error wraps [ErrNotRunning].
func (s *System) Listeners() ([]Listener, error) {
	if !s.Running() {
		return nil, fmt.Errorf("cannot list sockets: %w", ErrNotRunning)
	}
	var list []Listener
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		raw, err := os.ReadFile("/proc/self/net/" + table)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("cannot list sockets: %w", err)
		}
		list = append(list, parseSockets(strings.TrimSuffix(table, "6"), string(raw))...)
	}
	nameProcesses(list)
	slices.SortFunc(list, func(a, b Listener) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.At.Port(), b.At.Port()),
			a.At.Addr().Compare(b.At.Addr()), cmp.Compare(a.Process, b.Process))
	})
	return list, nil
}

// EphemeralPorts returns the range out of which the kernel picks ports for callers.
func (s *System) EphemeralPorts() (first, last uint16) {
	raw, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err == nil {
		if _, err = fmt.Sscan(string(raw), &first, &last); err == nil {
			return first, last
		}
	}
	return 32768, 60999
}

// parseSockets reads /proc/net/tcp and its like, of which it keeps what listens:
//
//	sl  local_address rem_address   st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
//	 0: 0100007F:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000   0        0 1604 …
//
// TCP tells by its state. A UDP socket listens when it is connected to nobody.
func parseSockets(protocol, table string) []Listener {
	listening := map[string]string{"tcp": "0A", "udp": "07"}[protocol]
	var list []Listener
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 10 || fields[3] != listening {
			continue
		}
		local, ok := parseSocketAddress(fields[1])
		remote, remoteOK := parseSocketAddress(fields[2])
		if ok && remoteOK && remote.Port() == 0 && local.Port() != 0 {
			list = append(list, Listener{Protocol: protocol, At: local, inode: fields[9]})
		}
	}
	return list
}

// parseSocketAddress reads "0100007F:0019": the address in words of four bytes, each with
// its last byte first, and the port.
func parseSocketAddress(text string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	number, portErr := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || portErr != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	address, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(address, uint16(number)), ok
}

// nameProcesses fills in which program holds each socket, as far as we may look. Of several
// processes that share a socket the first by name counts, so that the answer is stable.
func nameProcesses(list []Listener) {
	byInode := map[string][]*Listener{}
	for i := range list {
		byInode[list[i].inode] = append(byInode[list[i].inode], &list[i])
	}
	folders, _ := filepath.Glob("/proc/[0-9]*/fd")
	for _, folder := range folders {
		var name string
		entries, _ := os.ReadDir(folder)
		for _, e := range entries {
			target, _ := os.Readlink(filepath.Join(folder, e.Name()))
			inode, isSocket := strings.CutPrefix(target, "socket:[")
			holders := byInode[strings.TrimSuffix(inode, "]")]
			if !isSocket || len(holders) == 0 {
				continue
			}
			if name == "" {
				name = processName(filepath.Dir(folder))
			}
			for _, l := range holders {
				if name != "" && (l.Process == "" || name < l.Process) {
					l.Process = name
				}
			}
		}
	}
}

func processName(proc string) string {
	comm, _ := os.ReadFile(proc + "/comm")
	return strings.ToValidUTF8(strings.TrimSpace(string(comm)), "?")
}
