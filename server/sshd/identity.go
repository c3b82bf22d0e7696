package sshd

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"

	"plumb/agent/protocol"
	"plumb/inventory"
)

// identity is who a connection belongs to.
type identity struct {
	user        string // protocol.SSHGit, SSHAgent or SSHEnroll
	fingerprint string
	author      string           // of SSHGit
	host        inventory.HostID // of SSHAgent
}

const (
	extUser        = "plumb-user"
	extFingerprint = "plumb-fingerprint"
	extAuthor      = "plumb-author"
	extHost        = "plumb-host"
)

// who reads the identity back from what the callback said of the key that signed. A client
// may have offered others before (CVE-2024-45337), so nothing else may keep an identity.
func who(p *ssh.Permissions) identity {
	if p == nil {
		return identity{}
	}
	e := p.Extensions
	return identity{user: e[extUser], fingerprint: e[extFingerprint], author: e[extAuthor], host: inventory.HostID(e[extHost])}
}

func (s *Server) config(ctx context.Context) *ssh.ServerConfig {
	c := &ssh.ServerConfig{
		MaxAuthTries:  6,
		ServerVersion: "SSH-2.0-plumb",
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			return s.admit(ctx, meta.User(), key)
		},
	}
	c.AddHostKey(s.HostKey)
	return c
}

func (s *Server) admit(ctx context.Context, user string, key ssh.PublicKey) (*ssh.Permissions, error) {
	if _, ok := key.(*ssh.Certificate); ok {
		return nil, errors.New("certificates are not taken")
	}
	key256 := ssh.FingerprintSHA256(key)
	ext := map[string]string{extUser: user, extFingerprint: key256}
	var err error
	switch user {
	case protocol.SSHGit:
		ext[extAuthor], err = s.Authors(ctx, key256)
	case protocol.SSHAgent:
		var host inventory.HostID
		host, err = s.Hosts(ctx, key256)
		ext[extHost] = string(host)
	case protocol.SSHEnroll:
	default:
		return nil, hint(ErrUnknown, "log in as git to reach the policy repository")
	}
	if err != nil {
		return nil, s.turnAway(user, key256, err)
	}
	return &ssh.Permissions{Extensions: ext}, nil
}

// turnAway tells the owner of the key what to do; only the owner sees it.
func (s *Server) turnAway(user, key256 string, err error) error {
	if !errors.Is(err, ErrUnknown) {
		s.log().Error("cannot look up an SSH key", "user", user, "key", key256, "error", err)
		return hint(err, "the server cannot look up keys now; try again later")
	}
	if user == protocol.SSHGit {
		return hint(err, fmt.Sprintf("the key %s is not an author's here; an administrator adds it with `plumb author add NAME KEYFILE`", key256))
	}
	return hint(err, fmt.Sprintf("the key %s is not an enrolled host's; enrol with `plumb-agent enroll TOKEN`", key256))
}

func hint(err error, text string) error {
	return &ssh.BannerError{Err: err, Message: "plumb: " + text + "\r\n"}
}

// still looks the key up again: who was removed or revoked since the handshake is out.
func (s *Server) still(ctx context.Context, w identity) bool {
	switch w.user {
	case protocol.SSHGit:
		name, err := s.Authors(ctx, w.fingerprint)
		return err == nil && name == w.author
	case protocol.SSHAgent:
		host, err := s.Hosts(ctx, w.fingerprint)
		return err == nil && host == w.host
	}
	return w.user == protocol.SSHEnroll
}
