package facts

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// interfaces maps each interface that is up to its addresses, sorted. lo is the same
// everywhere, and veth ends come and go with containers: both are left out.
func interfaces(ifInet6 string) (map[string][]string, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("cannot list network interfaces: %w", err)
	}
	passing := temporary(ifInet6)
	found := map[string][]string{}
	for _, one := range all {
		if one.Flags&net.FlagUp == 0 || one.Flags&net.FlagLoopback != 0 || strings.HasPrefix(one.Name, "veth") {
			continue
		}
		addresses, err := one.Addrs()
		if err != nil {
			continue // it has gone since
		}
		found[one.Name] = lasting(addresses, passing)
	}
	return found, nil
}

func lasting(addresses []net.Addr, passing map[netip.Addr]bool) []string {
	list := []string{}
	for _, a := range addresses {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && !passing[prefix.Addr()] {
			list = append(list, prefix.String())
		}
	}
	slices.Sort(list)
	return list
}

// temporary reads from /proc/net/if_inet6 which IPv6 addresses are privacy addresses: the
// kernel makes new ones every day.
//
//	fd000000000000000000000000000001 02 40 00 01     eth0
func temporary(ifInet6 string) map[netip.Addr]bool {
	const flagTemporary = 0x01
	passing := map[netip.Addr]bool{}
	for line := range strings.Lines(ifInet6) {
		fields := strings.Fields(line)
		if len(fields) < 6 {
			continue
		}
		raw, err := hex.DecodeString(fields[0])
		flags, flagsErr := strconv.ParseUint(fields[4], 16, 32)
		if address, ok := netip.AddrFromSlice(raw); err == nil && flagsErr == nil && ok && flags&flagTemporary != 0 {
			passing[address] = true
		}
	}
	return passing
}
