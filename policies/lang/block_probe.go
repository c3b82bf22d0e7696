package lang

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"plumb/policies"
)

// A probe waits a minute unless it says otherwise, and an hour at most: the host is out of
// service meanwhile.
const (
	usualWithin = 60
	maxWithin   = 60 * 60
)

func (l *loader) probe(r *rollout, block *hcl.Block) {
	exprs := expressions(l.content(block.Body, []string{"command", "http", "tcp", "unit", "within"}))
	p := policies.Probe{Name: l.label(block), Within: usualWithin}
	if e := exprs["command"]; e != nil {
		p.Command = l.argv(e)
	}
	p.HTTP = l.probed(exprs["http"], checkURL)
	p.TCP = l.probed(exprs["tcp"], checkAddress)
	p.Unit = l.probed(exprs["unit"], checkUnit)
	if e := exprs["within"]; e != nil {
		p.Within = l.within1(e)
	}
	l.oneQuestion(block, exprs)
	if slices.ContainsFunc(r.Probes, func(other policies.Probe) bool { return other.Name == p.Name }) {
		l.report(failure(block.DefRange, "Duplicate declaration", fmt.Sprintf("The rollout %q has a probe %q already. Give one of them another name.", r.Name, p.Name)))
		return
	}
	r.Probes = append(r.Probes, p)
}

func (l *loader) oneQuestion(block *hcl.Block, exprs map[string]hclsyntax.Expression) {
	asked := 0
	for _, name := range []string{"command", "http", "tcp", "unit"} {
		if exprs[name] != nil {
			asked++
		}
	}
	if asked != 1 {
		l.report(failure(block.DefRange, "Probe without one question", `A probe asks one thing: command = ["/path/to/check"], http = "http://localhost/health", tcp = "localhost:5432" or unit = "nginx.service". `+
			"Write a probe block for each thing to ask."))
	}
}

func (l *loader) within1(e hclsyntax.Expression) int {
	n := l.duration(e)
	if n > maxWithin {
		l.report(failure(e.Range(), "Unusable duration", `A probe may take an hour at most: the host is out of service while it waits. Write within = "60s".`))
	}
	return n
}

// probed reads constant text and has it checked.
func (l *loader) probed(e hclsyntax.Expression, check func(string) string) string {
	word := l.word(e)
	if word == "" {
		return ""
	}
	if detail := check(word); detail != "" {
		l.report(failure(e.Range(), "Unusable probe", detail))
	}
	return word
}

const ownHost = "A probe asks the host itself, so its address is localhost, 127.0.0.1 or [::1]."

func checkURL(word string) string {
	u, err := url.Parse(word)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Opaque != "":
		return fmt.Sprintf(`%q is no address of a web page. Write one such as "http://localhost:8080/health".`, word)
	case u.User != nil:
		return "A password in an address is read by everybody who reads the policies. Let a command ask, which has it from a file of the host."
	case !isLoopback(u.Hostname()):
		return fmt.Sprintf("%q is on another host. %s", word, ownHost)
	case u.Port() != "" && !isPort(u.Port()):
		return fmt.Sprintf("%q has no port from 1 to 65535.", word)
	}
	return ""
}

func checkAddress(word string) string {
	host, port, err := net.SplitHostPort(word)
	switch {
	case err != nil || !isPort(port):
		return fmt.Sprintf(`%q is no address with a port. Write one such as "localhost:5432" or "[::1]:5432".`, word)
	case !isLoopback(host):
		return fmt.Sprintf("%q is on another host. %s", word, ownHost)
	}
	return ""
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Zone() == "" && ip.Unmap().IsLoopback()
}

func isPort(word string) bool {
	n, err := strconv.ParseUint(word, 10, 16)
	return err == nil && n > 0
}

var unitForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9:_.@\\-]{1,240}\.(service|socket|target|timer|mount|path)$`)
})

func checkUnit(word string) string {
	if unitForm().MatchString(word) {
		return ""
	}
	return fmt.Sprintf(`%q is no name of a unit. Write it with its ending, such as "nginx.service".`, word)
}
