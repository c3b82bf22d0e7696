package testenv

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

//go:embed scripts/line.nft
var lineRules string

//go:embed scripts/got.nft
var gotRules string

// Line is how bad a host's line is. The zero value is a good one.
type Line struct {
	// Loss is how many packets of a hundred are lost, each way.
	Loss int
	// Rate is the most that goes through each way, as tc writes it: 256kbit.
	Rate string
	// Breaks is after how many bytes from the server a connection is reset, 0 for never.
	Breaks int
	// Stalls is after how many bytes from the server a connection says nothing any more.
	Stalls int
}

// SetLine makes the host's line what it is to be, in place of what it was.
func (h *Host) SetLine(ctx context.Context, l Line) error {
	var rules bytes.Buffer
	values := struct {
		Line
		Table, Port, Address string
	}{l, "line" + strconv.Itoa(h.number), h.port(), h.Address}
	if err := template.Must(template.New("line").Parse(lineRules)).Execute(&rules, values); err != nil {
		return fmt.Errorf("cannot write the rules of a line: %w", err)
	}
	server := h.world.serverNet()
	return runAll(ctx,
		"ip netns exec "+server+" nft "+quoteShell(rules.String()),
		"ip netns exec "+h.netns()+" nft "+quoteShell(gotRules),
		shape(server, h.port(), l.Rate),
		shape(h.netns(), "host0", l.Rate),
	)
}

// Got is how many bytes reached the host since its line was set.
func (h *Host) Got(ctx context.Context) (int, error) {
	out, err := exec.CommandContext(ctx, "ip", "netns", "exec", h.netns(), "nft", "list", "counter", "inet", "line", "got").Output()
	if err != nil {
		return 0, fmt.Errorf("cannot count what reached %s: %w", h.Name, err)
	}
	words := strings.Fields(string(out))
	at := slices.Index(words, "bytes")
	if at < 0 || at+1 == len(words) {
		return 0, fmt.Errorf("cannot read the count of %s: %s", h.Name, out)
	}
	return strconv.Atoi(words[at+1])
}

// Connections is how many connections the server side believes to have with the host.
func (h *Host) Connections(ctx context.Context) (int, error) {
	out, err := h.world.Server(ctx, "ss", "-Htn", "state", "connected", "dst", h.Address).Output()
	if err != nil {
		return 0, fmt.Errorf("cannot count the connections of %s: %w", h.Name, err)
	}
	return strings.Count(string(out), "\n"), nil
}

// shape is the command that makes an end of a link as narrow as that.
func shape(netns, link, rate string) string {
	if rate == "" {
		return "tc -n " + netns + " qdisc del dev " + link + " root 2>/dev/null || true"
	}
	return "tc -n " + netns + " qdisc replace dev " + link + " root tbf rate " + rate + " burst 16kb latency 400ms"
}
