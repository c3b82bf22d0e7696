package modules

import (
	"net"
	"os"
	"os/exec"
	"testing"

	"plumb/modules/system"
)

const noApt = "apt works on the running host only; package_test.go applies it in a copy of this machine"

func packageSamples() map[string]sample {
	files := map[string]string{"var/lib/dpkg/status": statusFile}
	return map[string]sample{
		"installed":       {attributes: `{"name": "nginx", "version": ">= 1.20"}`, files: files, fine: true},
		"missing":         {attributes: `{"name": "apache2", "version": ">= 2.4", "hold": true}`, files: files, noApply: noApt},
		"half-installed":  {attributes: `{"name": "half"}`, files: files, noApply: noApt},
		"to be purged":    {attributes: `{"name": "leftover", "state": "purged"}`, files: files, noApply: noApt},
		"other version":   {attributes: `{"name": "nginx", "version": "1.22.1-10"}`, files: files, noApply: noApt},
		"not Debian":      {attributes: `{"name": "nginx"}`, wantErr: ErrUnknown},
		"latest of where": {attributes: `{"name": "nginx", "state": "latest"}`, files: files, wantErr: ErrUnknown},
	}
}

func packageMistakes() map[string]wrong {
	return map[string]wrong{
		"option as name": {`{"name": "--force"}`, "name"},
		"state":          {`{"name": "nginx", "state": "installed"}`, "state"},
		"semver":         {`{"name": "nginx", "version": "~> 1.2"}`, "version"},
		"absent version": {`{"name": "nginx", "state": "absent", "version": "1"}`, "version"},
		"absent hold":    {`{"name": "nginx", "state": "absent", "hold": true}`, "hold"},
		"timeout":        {`{"name": "nginx", "lock_timeout": "soon"}`, "lock_timeout"},
	}
}

func serviceSamples() map[string]sample {
	host := func(t *testing.T) *system.System {
		sys := unitRoot(t)
		sys.State = t.TempDir()
		return sys
	}
	return map[string]sample{
		"enable":     {attributes: `{"name": "web", "enabled": true}`, host: host},
		"mask":       {attributes: `{"name": "web.service", "masked": true, "enabled": false}`, host: host},
		"disabled":   {attributes: `{"name": "web", "enabled": false, "masked": false}`, host: host, fine: true},
		"no unit":    {attributes: `{"name": "nobody", "enabled": false, "masked": true}`, host: host, fine: true},
		"no systemd": {attributes: `{"name": "web", "running": true}`, host: host, wantErr: ErrUnknown},
	}
}

func serviceMistakes() map[string]wrong {
	return map[string]wrong{
		"option as name": {`{"name": "--now", "running": true}`, "name"},
		"path":           {`{"name": "../x", "running": true}`, "name"},
		"masked runs":    {`{"name": "x", "running": true, "masked": true}`, "masked"},
		"on_notify":      {`{"name": "x", "on_notify": "kill"}`, "on_notify"},
		"nothing":        {`{"name": "x", "on_notify": "none"}`, ""},
	}
}

// accountHost skips where the tools of the shadow suite cannot work below a root.
func accountHost(t *testing.T) *system.System {
	needsShadowTools(t)
	sys := accountRoot(t)
	sys.State = t.TempDir()
	return sys
}

func userSamples() map[string]sample {
	return map[string]sample{
		"new":      {attributes: `{"name": "bob", "uid": 4000, "groups": ["adm"], "password_hash": "*", "expires": "2027-01-01"}`, host: accountHost},
		"changed":  {attributes: `{"name": "alice", "shell": "/bin/sh", "locked": true, "groups": ["sudo"], "groups_exclusive": true}`, host: accountHost},
		"gone":     {attributes: `{"name": "alice", "state": "absent"}`, host: accountHost},
		"in order": {attributes: `{"name": "alice", "uid": 1000, "comment": "Alice"}`, host: accountHost, fine: true},
	}
}

func userMistakes() map[string]wrong {
	return map[string]wrong{
		"option as name": {`{"name": "-g0"}`, "name"},
		"password":       {`{"name": "x", "password_hash": "secret"}`, "password_hash"},
		"comment":        {`{"name": "x", "comment": "a:b"}`, "comment"},
		"date":           {`{"name": "x", "expires": "tomorrow"}`, "expires"},
		"home":           {`{"name": "x", "home": "~"}`, "home"},
		"groups":         {`{"name": "x", "groups": ["a,root"]}`, "groups"},
	}
}

func groupSamples() map[string]sample {
	return map[string]sample{
		"new":      {attributes: `{"name": "web", "gid": 4000, "members": ["alice"]}`, host: accountHost},
		"members":  {attributes: `{"name": "adm", "members": ["root"], "members_exclusive": true}`, host: accountHost},
		"gone":     {attributes: `{"name": "sudo", "state": "absent"}`, host: accountHost},
		"in order": {attributes: `{"name": "adm", "gid": 4, "members": ["alice"]}`, host: accountHost, fine: true},
	}
}

func groupMistakes() map[string]wrong {
	return map[string]wrong{
		"name":    {`{"name": "a:b"}`, "name"},
		"members": {`{"name": "x", "members": ["a,b"]}`, "members"},
		"gid":     {`{"name": "x", "gid": -1}`, "gid"},
		"absent":  {`{"name": "x", "state": "absent", "members": ["a"]}`, "members"},
	}
}

func sshdDirectiveSamples() map[string]sample {
	return map[string]sample{
		"a folder": {attributes: `{"keyword": "MaxAuthTries", "max": 4}`, wantErr: ErrUnknown},
		"this host, whatever is found": {attributes: `{"keyword": "MaxAuthTries", "min": 0}`, host: func(t *testing.T) *system.System {
			if _, err := exec.LookPath("/usr/sbin/sshd"); err != nil || os.Geteuid() != 0 {
				t.Skip("needs sshd and root, who may read its keys")
			}
			if _, err := os.Stat("/run/sshd"); err != nil {
				t.Skip("needs sshd to have run: sshd_directive_test.go does it in a copy of this machine")
			}
			return &system.System{Root: "/", State: t.TempDir()}
		}, fine: true},
	}
}

func sshdDirectiveMistakes() map[string]wrong {
	return map[string]wrong{
		"keyword":   {`{"keyword": "Match", "value": "all"}`, "keyword"},
		"two lines": {`{"keyword": "Banner", "value": "none\nPermitRootLogin yes"}`, "value"},
		"two ways":  {`{"keyword": "MaxSessions", "value": "3", "max": 4}`, ""},
		"range":     {`{"keyword": "MaxSessions", "min": 5, "max": 4}`, "min"},
		"user":      {`{"keyword": "MaxSessions", "max": 4, "user": "a,addr=1.2.3.4"}`, "user"},
	}
}

// listeningHost is this host with a socket that listens for sure.
func listeningHost(t *testing.T) *system.System {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skipf("needs a loopback interface: %v", err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return &system.System{Root: "/", State: t.TempDir()}
}

func listeningPortsSamples() map[string]sample {
	return map[string]sample{
		"nothing may":    {attributes: `{"forbidden": ["tcp/1-65535"]}`, host: listeningHost},
		"everything may": {attributes: `{"allowed": ["1-65535"]}`, host: listeningHost, fine: true},
		"a folder":       {attributes: `{"allowed": ["tcp/22"]}`, wantErr: ErrUnknown},
	}
}

func listeningPortsMistakes() map[string]wrong {
	return map[string]wrong{
		"protocol": {`{"allowed": ["icmp/1"]}`, "allowed"},
		"port":     {`{"forbidden": ["tcp/65536"]}`, "forbidden"},
		"range":    {`{"loopback_only": ["20-10"]}`, "loopback_only"},
		"nothing":  {`{"ignore_loopback": true}`, ""},
	}
}
