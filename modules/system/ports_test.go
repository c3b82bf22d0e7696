package system

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func addresses(list []Listener) []string {
	var texts []string
	for _, l := range list {
		texts = append(texts, l.String())
	}
	return texts
}

func TestParseSockets(t *testing.T) {
	cases := map[string]struct {
		protocol, file string
		want           []string
	}{
		"tcp":  {"tcp", "net/tcp", []string{"tcp/0.0.0.0:22", "tcp/127.0.0.1:25"}},
		"tcp6": {"tcp", "net/tcp6", []string{"tcp/[::]:22", "tcp/[::1]:5432", "tcp/[::ffff:10.0.0.1]:80"}},
		"udp":  {"udp", "net/udp", []string{"udp/0.0.0.0:68", "udp/127.0.0.53:53"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, addresses(parseSockets(c.protocol, recorded(t, c.file)))); diff != "" {
				t.Errorf("parseSockets (-want +got):\n%s", diff)
			}
		})
	}
}

func TestListenersFindsOurs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skipf("needs a loopback interface: %v", err)
	}
	defer l.Close()
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	list, err := (&System{Root: "/"}).Listeners()
	if err != nil {
		t.Fatal(err)
	}
	for protocol, at := range map[string]string{"tcp": l.Addr().String(), "udp": u.LocalAddr().String()} {
		found := Listener{}
		for _, one := range list {
			if one.Protocol == protocol && one.At == netip.MustParseAddrPort(at) {
				found = one
			}
		}
		if found.Process == "" || !found.Loopback() {
			t.Errorf("Listeners() = %v, want %s/%s with its process", addresses(list), protocol, at)
		}
	}
	if _, err := (&System{Root: t.TempDir()}).Listeners(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Listeners() below a folder = %v, want ErrNotRunning", err)
	}
}

func FuzzParseSockets(f *testing.F) {
	for _, name := range []string{"net/tcp", "net/tcp6", "net/udp"} {
		f.Add(recorded(f, name))
	}
	f.Add("0: : : 0A 1 2 3 4 5 6\n")
	f.Fuzz(func(t *testing.T, table string) {
		for _, protocol := range []string{"tcp", "udp"} {
			for _, l := range parseSockets(protocol, table) {
				if !l.At.IsValid() || l.At.Port() == 0 {
					t.Errorf("parseSockets gave %v", l)
				}
			}
		}
	})
}
