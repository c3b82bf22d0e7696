package modules

import (
	"net/netip"
	"testing"

	"plumb/modules/system"
)

func TestListeningPortsJudge(t *testing.T) {
	at := func(protocol, where string) system.Listener {
		return system.Listener{Protocol: protocol, At: netip.MustParseAddrPort(where)}
	}
	allowed := ListeningPorts{Allowed: []string{"tcp/22", "tcp/127.0.0.1:25", "udp/[::1]:53", "8000-8010"}}
	cases := map[string]struct {
		give    ListeningPorts
		at      system.Listener
		passing bool
		want    string
	}{
		"allowed port":            {give: allowed, at: at("tcp", "0.0.0.0:22")},
		"allowed address":         {give: allowed, at: at("tcp", "127.0.0.1:25")},
		"allowed over IPv6":       {give: allowed, at: at("tcp", "[::ffff:127.0.0.1]:25")},
		"allowed range":           {give: allowed, at: at("udp", "10.0.0.1:8010")},
		"other address":           {give: allowed, at: at("tcp", "0.0.0.0:25"), want: "allowed"},
		"other protocol":          {give: allowed, at: at("udp", "0.0.0.0:22"), want: "allowed"},
		"beyond the range":        {give: allowed, at: at("tcp", "0.0.0.0:8011"), want: "allowed"},
		"passing":                 {give: allowed, at: at("udp", "0.0.0.0:40000"), passing: true},
		"loopback counts":         {give: allowed, at: at("tcp", "127.0.0.1:5432"), want: "allowed"},
		"loopback is ignored":     {give: ListeningPorts{Allowed: []string{}, IgnoreLoopback: true}, at: at("tcp", "[::1]:5432")},
		"nothing may":             {give: ListeningPorts{Allowed: []string{}}, at: at("tcp", "[::1]:5432"), want: "allowed"},
		"forbidden":               {give: ListeningPorts{Forbidden: []string{"23"}}, at: at("tcp", "127.0.0.1:23"), want: "forbidden"},
		"forbidden while passing": {give: ListeningPorts{Forbidden: []string{"udp/51820"}}, at: at("udp", "0.0.0.0:51820"), passing: true, want: "forbidden"},
		"not forbidden":           {give: ListeningPorts{Forbidden: []string{"23"}}, at: at("tcp", "0.0.0.0:24")},
		"loopback only":           {give: ListeningPorts{LoopbackOnly: []string{"5432"}}, at: at("tcp", "0.0.0.0:5432"), want: "loopback_only"},
		"on loopback":             {give: ListeningPorts{LoopbackOnly: []string{"5432"}}, at: at("tcp", "[::1]:5432")},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			rules, err := c.give.rules()
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := c.give.judge(rules, c.at, c.passing); got != c.want {
				t.Errorf("judge(%s) = %q, want %q", c.at, got, c.want)
			}
		})
	}
}

func FuzzParsePortSpec(f *testing.F) {
	for _, seed := range []string{"tcp/22", "tcp/127.0.0.1:25", "udp/[::1]:53", "8000-8010", "::1:5", "/", "-"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		spec, err := parsePortSpec(text)
		if err == nil && (spec.first == 0 || spec.last < spec.first) {
			t.Errorf("parsePortSpec(%q) = %+v", text, spec)
		}
	})
}
