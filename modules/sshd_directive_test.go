package modules

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumb/modules/system"
)

func TestSSHDDirectiveValidate(t *testing.T) {
	four, five := 4, 5
	cases := map[string]struct {
		give SSHDDirective
		want string
	}{
		"keyword":     {SSHDDirective{Keyword: "Permit Root", Value: "no"}, "keyword"},
		"match":       {SSHDDirective{Keyword: "Match", Value: "no"}, "keyword"},
		"nothing":     {SSHDDirective{Keyword: "Port"}, ""},
		"two ways":    {SSHDDirective{Keyword: "Port", Value: "22", Max: &four}, ""},
		"empty range": {SSHDDirective{Keyword: "Port", Min: &five, Max: &four}, "min"},
		"two lines":   {SSHDDirective{Keyword: "Banner", Value: "x\nPermitRootLogin yes"}, "value"},
		"user":        {SSHDDirective{Keyword: "Port", Value: "1", User: "a,host=b"}, "user"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := c.give.Validate()
			if len(got) != 1 || got[0].Attribute != c.want {
				t.Errorf("Validate(%+v) = %+v, want one mistake of %q", c.give, got, c.want)
			}
		})
	}
}

func TestSSHDDirectiveSetting(t *testing.T) {
	one, four := 1, 4
	cases := map[string]struct {
		give  SSHDDirective
		found string
		want  string
	}{
		"value":       {SSHDDirective{Value: "no"}, "yes", "no"},
		"one_of":      {SSHDDirective{OneOf: []string{"no", "prohibit-password"}}, "yes", "no"},
		"max":         {SSHDDirective{Max: &four}, "6", "4"},
		"beyond max":  {SSHDDirective{Min: &one, Max: &four}, "6", "4"},
		"below min":   {SSHDDirective{Min: &one, Max: &four}, "0", "1"},
		"min":         {SSHDDirective{Min: &one}, "0", "1"},
		"not set":     {SSHDDirective{Min: &one, Max: &four}, "", "4"},
		"forbidden":   {SSHDDirective{Forbidden: []string{"3DES-CBC", "none"}}, "aes,3des-cbc,chacha", "aes,chacha"},
		"all go away": {SSHDDirective{Forbidden: []string{"aes"}}, "aes", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got, err := c.give.setting(c.found); got != c.want || (err != nil) != (c.want == "") {
				t.Errorf("setting(%q) = %q, %v, want %q", c.found, got, err, c.want)
			}
		})
	}
}

func TestSSHDDirectiveCannotTell(t *testing.T) {
	if _, err := (&SSHDDirective{Keyword: "Port", Value: "22"}).Check(t.Context(), &system.System{Root: t.TempDir()}); !errors.Is(err, ErrUnknown) {
		t.Errorf("Check() below a folder = %v, want ErrUnknown", err)
	}
	if !inCopy(t, "sshd") {
		return
	}
	_, err := (&SSHDDirective{Keyword: "Port", Value: "22"}).Check(t.Context(), copyHost(t))
	if !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "/run/sshd") {
		t.Errorf("Check() without /run/sshd = %v, want ErrUnknown that names it", err)
	}
	if _, err := os.Stat("/run/sshd"); err == nil {
		t.Error("Check() made /run/sshd")
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestSSHDDirectiveOnRealSSHD(t *testing.T) {
	if !inCopy(t, "sshd", "ssh-keygen") {
		return
	}
	const config, dropIn = "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/00-plumb-maxauthtries.conf"
	write(t, "/run/sshd/x", "")
	write(t, config, "Include /etc/ssh/sshd_config.d/*.conf\nPermitRootLogin prohibit-password\nLoginGraceTime 2m\nMatch User bob\n  PermitRootLogin yes\n")
	sys := copyHost(t)
	one, four, sixty := 1, 4, 60

	for _, fine := range []*SSHDDirective{
		{Keyword: "permitrootlogin", Value: "prohibit-password"}, {Keyword: "PermitRootLogin", Value: "without-password"},
		{Keyword: "LoginGraceTime", Value: "120"}, {Keyword: "LoginGraceTime", Value: "2m"}, {Keyword: "LogLevel", OneOf: []string{"VERBOSE", "info"}},
		{Keyword: "PermitRootLogin", Value: "yes", User: "bob"},
	} {
		if got, err := fine.Check(t.Context(), sys); err != nil || len(got) > 0 {
			t.Errorf("Check(%+v) = %+v, %v, want nothing", fine, got, err)
		}
	}
	converge(t, sys, &SSHDDirective{Keyword: "MaxAuthTries", Max: &four})
	if text, err := os.ReadFile(dropIn); err != nil || !strings.Contains(string(text), "\nMaxAuthTries 4\n") {
		t.Errorf("the drop-in is %q, %v, want MaxAuthTries 4", text, err)
	}
	converge(t, sys, &SSHDDirective{Keyword: "LoginGraceTime", Min: &one, Max: &sixty})
	converge(t, sys, &SSHDDirective{Keyword: "PermitRootLogin", OneOf: []string{"no"}})
	converge(t, sys, &SSHDDirective{Keyword: "Macs", Forbidden: []string{"hmac-sha1", "hmac-sha1-etm@openssh.com"}})
	converge(t, sys, &SSHDDirective{Keyword: "AllowUsers", Value: "alice bob"})

	// An earlier line wins: the error names it, and the drop-in that has no effect is gone.
	write(t, config, "MaxAuthTries 9\nInclude /etc/ssh/sshd_config.d/*.conf\n")
	old, _ := os.ReadFile(dropIn)
	refused(t, sys, &SSHDDirective{Keyword: "MaxAuthTries", Value: "3"}, config+":1 (MaxAuthTries 9)")
	if now, _ := os.ReadFile(dropIn); string(now) != string(old) {
		t.Errorf("the drop-in is %q after a failure, want the old one", now)
	}
	if _, err := (&SSHDDirective{Keyword: "PermitTTY", Value: "perhaps"}).Check(t.Context(), sys); err == nil || !strings.Contains(err.Error(), "unsupported option") {
		t.Errorf("Check() of a value that sshd does not know = %v, want sshd's own words", err)
	}
	refused(t, sys, &SSHDDirective{Keyword: "Ciphers", Max: &four}, "Bad SSH2 cipher spec '4'")
	if _, err := os.Stat("/etc/ssh/sshd_config.d/00-plumb-ciphers.conf"); err == nil {
		t.Error("a drop-in that sshd refuses was left behind")
	}
	write(t, config, "Port 22\n")
	refused(t, sys, &SSHDDirective{Keyword: "X11Forwarding", Value: "yes"}, "does not include /etc/ssh/sshd_config.d/*.conf")
}

func TestSSHDDirectiveWithoutHostKeys(t *testing.T) {
	if !inCopy(t, "sshd", "ssh-keygen") {
		return
	}
	write(t, "/run/sshd/x", "")
	keys, _ := filepath.Glob("/etc/ssh/ssh_host_*")
	for _, key := range keys {
		if err := os.Remove(key); err != nil {
			t.Fatal(err)
		}
	}
	sys := copyHost(t)
	converge(t, sys, &SSHDDirective{Keyword: "MaxAuthTries", Value: "2"})
	if left, _ := os.ReadDir(sys.State); len(left) > 0 {
		t.Errorf("%s holds %v, want the throw-away key gone", sys.State, left)
	}
	if keys, _ := filepath.Glob("/etc/ssh/ssh_host_*"); len(keys) > 0 {
		t.Errorf("keys were made: %q", keys)
	}
}
