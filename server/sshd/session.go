package sshd

import (
	"context"
	"fmt"
	"regexp"
	"sync"

	"golang.org/x/crypto/ssh"

	"plumb/agent/protocol"
)

// session is one authenticated connection.
type session struct {
	server *Server
	conn   *ssh.ServerConn
	who    identity
	web    *web
}

// serve opens the channels that the user may have, until the connection ends.
func (c *session) serve(ctx context.Context, channels <-chan ssh.NewChannel) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	slots := make(chan struct{}, maxChannels)
	ever := 0
	for next := range channels {
		if reason, text := c.judge(ctx, next.ChannelType()); text != "" {
			_ = next.Reject(reason, text) // the connection is gone if this fails
			continue
		}
		if ever++; ever > maxChannelsEver {
			c.conn.Close()
			return
		}
		select {
		case slots <- struct{}{}:
		default:
			_ = next.Reject(ssh.ResourceShortage, fmt.Sprintf("more than %d channels at once", maxChannels))
			continue
		}
		all.Go(func() {
			defer func() { <-slots }()
			c.channel(ctx, next)
		})
	}
}

func (c *session) judge(ctx context.Context, kind string) (ssh.RejectionReason, string) {
	want := protocol.SSHChannel
	if c.who.user == protocol.SSHGit {
		want = "session"
	}
	if kind != want {
		return ssh.Prohibited, fmt.Sprintf("plumb: the user %s may only open channels of the type %s; there is no shell and no forwarding", c.who.user, want)
	}
	if !c.server.still(ctx, c.who) {
		c.conn.Close()
		return ssh.Prohibited, "plumb: this key is not known here any more"
	}
	return 0, ""
}

func (c *session) channel(ctx context.Context, next ssh.NewChannel) {
	ch, requests, err := next.Accept()
	if err != nil {
		return // the connection is gone
	}
	defer ch.Close()
	if c.who.user == protocol.SSHGit {
		c.git(ctx, ch, requests)
		return
	}
	go refuseGlobal(requests)
	c.web.take(ctx, ch, c)
}

// git waits for the one command of a session channel, runs it and sends its exit code.
func (c *session) git(ctx context.Context, ch ssh.Channel, requests <-chan *ssh.Request) {
	cmd := Command{Author: c.who.author}
	for r := range requests {
		switch r.Type {
		case "env":
			ok := cmd.setEnv(r.Payload)
			reply(r, ok)
			continue
		case "exec", "shell":
			reply(r, true)
			ctx, cancel := context.WithCancel(ctx)
			go func() { refuseGlobal(requests); cancel() }() // requests end when the client hangs up
			code := c.exec(ctx, cmd, r, ch)
			exit(ch, code)
			cancel()
			return
		}
		reply(r, false)
	}
}

func reply(r *ssh.Request, ok bool) {
	if r.WantReply {
		_ = r.Reply(ok, nil) // the connection is gone if this fails
	}
}

func (c *session) exec(ctx context.Context, cmd Command, r *ssh.Request, ch ssh.Channel) int {
	var payload struct{ Line string }
	if r.Type == "exec" {
		if err := ssh.Unmarshal(r.Payload, &payload); err != nil {
			return 255
		}
	}
	service, ok := ParseCommand(payload.Line)
	if !ok {
		fmt.Fprintf(ch.Stderr(), "plumb: error: hello %s, there is no shell here\r\nplumb: hint: use `git clone ssh://git@HOST:PORT/policy`\r\n", cmd.Author)
		return 1
	}
	cmd.Service = service
	return c.server.Git(ctx, cmd, ch, ch, ch.Stderr())
}

func exit(ch ssh.Channel, code int) {
	_ = ch.CloseWrite() // both fail only when the client is gone
	_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(code)}))
}

var protocolForm = regexp.MustCompile(`^version=[0-2]$`)

func (c *Command) setEnv(payload []byte) bool {
	var v struct{ Name, Value string }
	if err := ssh.Unmarshal(payload, &v); err != nil || v.Name != "GIT_PROTOCOL" || !protocolForm.MatchString(v.Value) {
		return false
	}
	c.Protocol = v.Value
	return true
}
