package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"plumb/agent/protocol"
	"plumb/agent/state"
	"plumb/agent/transport"
	"plumb/agent/trust"
	"plumb/inventory"
)

// ErrEnrolled means that the host has a server already.
var ErrEnrolled = errors.New("this host is enrolled already")

// Enroll gives the host an identity. server is empty for what the token says, or
// https://HOST[:PORT], or ssh://[HOST[:PORT]]: how the host is to reach its server from now on.
func (a *Agent) Enroll(ctx context.Context, token protocol.Token, name, server string) (state.Identity, error) {
	if old, err := a.Dir.Identity(); err == nil {
		return old, fmt.Errorf("%w as %s at %s", ErrEnrolled, old.Host.Name, old.Server)
	}
	if err := inventory.CheckName(name); err != nil {
		return state.Identity{}, err
	}
	if _, err := protocol.ParseSigners(strings.Join(token.Signers, "\n")); err != nil {
		return state.Identity{}, err
	}
	to, err := reach(token, server)
	if err != nil {
		return state.Identity{}, err
	}
	csr, err := request(a.Dir, name)
	if err != nil {
		return state.Identity{}, err
	}
	c, err := a.enrollClient(to, token)
	if err != nil {
		return state.Identity{}, err
	}
	defer c.Close()
	got, err := c.Enroll(ctx, protocol.Enrollment{Secret: token.Secret, Name: name, CSR: csr})
	if err != nil {
		return state.Identity{}, err
	}
	return a.settle(token, to, got)
}

// settle checks what enrolment brought and stores it.
func (a *Agent) settle(token protocol.Token, to route, got protocol.Enrolled) (state.Identity, error) {
	digest, err := transport.CADigest(got.CA)
	if err != nil {
		return state.Identity{}, err
	}
	if digest != token.CA {
		return state.Identity{}, errors.New("the server sent another authority than the token names")
	}
	if got.Host.ID == "" {
		return state.Identity{}, errors.New("the server gave the host no identity")
	}
	if err := fits(a.Dir, got.Certificate); err != nil {
		return state.Identity{}, err
	}
	id := state.Identity{Host: got.Host, Server: to.server, CA: got.CA, SSHKey: token.SSHKey, LeaseKey: token.LeaseKey, Enrolled: a.Now().UTC()}
	return id, a.Dir.Enroll(id, got.Certificate, strings.Join(token.Signers, "\n")+"\n")
}

func (a *Agent) enrollClient(to route, token protocol.Token) (*transport.Client, error) {
	if !to.ssh {
		now := func() time.Time { return trust.Clock(a.Now(), a.Built, trust.Floors{}) }
		return transport.EnrollHTTPS(to.enroll, token.CA, now), nil
	}
	key, err := a.Dir.Key()
	if err != nil {
		return nil, err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, fmt.Errorf("cannot use the host's key: %w", err)
	}
	return transport.SSH(to.enroll, token.SSHKey, protocol.SSHEnroll, signer)
}

// route is where to enrol and where to check in.
type route struct {
	ssh    bool
	enroll string // host:port
	server string // as state.Identity.Server
}

// reach works out the addresses from the token and the administrator's wish. With https the
// named host serves both ports, and a named port is that of the agents.
func reach(token protocol.Token, server string) (route, error) {
	if server == "" {
		server = "https://"
	}
	u, err := url.Parse(server)
	if err != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return route{}, fmt.Errorf("%q is not an address such as https://plumb.example.org or ssh://plumb.example.org:7022", server)
	}
	switch u.Scheme {
	case "ssh":
		at, err := override(token.SSH, u, true)
		return route{true, at, "ssh://" + at}, err
	case "https":
		people, err := override(token.People, u, false)
		if err != nil {
			return route{}, err
		}
		agents, err := override(token.Agents, u, true)
		return route{false, people, "https://" + agents}, err
	default:
		return route{}, fmt.Errorf("the address %q must begin with https:// or ssh://", server)
	}
}

func override(address string, u *url.URL, withPort bool) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil && (u.Hostname() == "" || u.Port() == "") {
		return "", fmt.Errorf("the token has no usable address for %s://: name one with --server", u.Scheme)
	}
	if u.Hostname() != "" {
		host = u.Hostname()
	}
	if withPort && u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(host, port), nil
}
