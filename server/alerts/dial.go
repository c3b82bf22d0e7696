package alerts

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"syscall"
	"time"
)

const (
	// attemptTime is how long one attempt may take.
	attemptTime = 10 * time.Second
	// maxAnswer is how many bytes of an answer are read.
	maxAnswer = 64 << 10
)

// errAddress means that a name leads to an address that must not be reached.
var errAddress = errors.New("it is at a private or reserved address: allow_private lets it be at a private one")

// httpClient reaches only the addresses that it may. A proxy would connect in its place, and a
// redirect would lead elsewhere, so it follows neither.
func httpClient(allowPrivate bool, ca string) (*http.Client, error) {
	roots, err := trusted(ca)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{Timeout: attemptTime, Control: guard(allowPrivate)}
	return &http.Client{
		Timeout:       attemptTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: attemptTime, DisableKeepAlives: true, DisableCompression: true,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}, MaxResponseHeaderBytes: maxAnswer,
		},
	}, nil
}

// trusted are the machine's certificates and those in a file; nil stands for the machine's.
func trusted(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read the certificates to trust: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("there is no certificate in %s", file)
	}
	return pool, nil
}

// guard looks at the address that is about to be connected to, after names are resolved: whatever
// a name server says a moment later is of no use to anybody.
func guard(allowPrivate bool) func(string, string, syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return errAddress
		}
		if !reachable(at.Addr(), allowPrivate) {
			return errAddress
		}
		return nil
	}
}

// reachable tells whether an address may be told anything.
func reachable(ip netip.Addr, allowPrivate bool) bool {
	ip = inner(ip.WithZone(""))
	if within(ip, metadata()) || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast() {
		return false
	}
	if ip.IsLoopback() || ip.IsPrivate() || within(ip, shared()) {
		return allowPrivate
	}
	return ip.IsGlobalUnicast() && !within(ip, reserved())
}

// inner is the IPv4 address that an IPv6 one leads to, if it leads to one.
func inner(ip netip.Addr) netip.Addr {
	ip = ip.Unmap()
	if ip.Is4() {
		return ip
	}
	raw := ip.As16()
	v4 := func(at int) netip.Addr { return netip.AddrFrom4([4]byte(raw[at : at+4])) }
	switch {
	case within(ip, []string{"64:ff9b::/96"}): // NAT64
		return v4(12)
	case within(ip, []string{"2002::/16"}): // 6to4
		return v4(2)
	case within(ip, []string{"::/96"}) && ip != netip.IPv6Loopback() && !ip.IsUnspecified(): // IPv4-compatible
		return v4(12)
	}
	return ip
}

// metadata are where clouds tell machines their secrets, beside the link-local ones.
func metadata() []string {
	return []string{"100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::254/128", "fd20:ce::254/128"}
}

// shared are like private ones: carriers' and old site-local addresses.
func shared() []string { return []string{"100.64.0.0/10", "fec0::/10"} }

// reserved are addresses where nobody ought to be.
func reserved() []string {
	return []string{"0.0.0.0/8", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/3", "4000::/2", "8000::/1", "2001::/23", "2001:db8::/32", "3fff::/20"}
}

func within(ip netip.Addr, networks []string) bool {
	for _, text := range networks {
		if netip.MustParsePrefix(text).Contains(ip) {
			return true
		}
	}
	return false
}
