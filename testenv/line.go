package testenv

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"text/template"
)

//go:embed scripts/line.nft
var lineRules string

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
		shape(server, h.port(), l.Rate),
		shape(h.netns(), "host0", l.Rate),
	)
}

// shape is the command that makes an end of a link as narrow as that.
func shape(netns, link, rate string) string {
	if rate == "" {
		return "tc -n " + netns + " qdisc del dev " + link + " root 2>/dev/null || true"
	}
	return "tc -n " + netns + " qdisc replace dev " + link + " root tbf rate " + rate + " burst 16kb latency 400ms"
}
