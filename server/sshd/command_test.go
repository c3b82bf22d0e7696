package sshd

import (
	"strings"
	"testing"
)

func TestParseCommand(t *testing.T) {
	good := map[string]string{
		"git-upload-pack '/policy'":      "git-upload-pack",
		"git-upload-pack '/policy.git'":  "git-upload-pack",
		"git-receive-pack 'policy'":      "git-receive-pack",
		"git receive-pack '/policy.git'": "git-receive-pack",
		"git-upload-pack policy":         "git-upload-pack",
	}
	for line, want := range good {
		if got, ok := ParseCommand(line); !ok || got != want {
			t.Errorf("ParseCommand(%q) = %q, %v, want %q", line, got, ok, want)
		}
	}
	for _, line := range hostileCommands {
		if got, ok := ParseCommand(line); ok {
			t.Errorf("ParseCommand(%q) = %q, want it refused", line, got)
		}
	}
}

var hostileCommands = []string{
	"", "id", "sh", "git-upload-pack", "git-upload-pack ", "git-upload-pack '/etc'", "git-upload-pack '/policy'; id",
	"git-upload-pack --upload-pack=id policy", "git-upload-pack --strict '/policy'", "git-upload-pack '/policy' '/policy'",
	"git-upload-pack '/policy/../policy'", "git-upload-pack '../policy'", "git-upload-pack '/policy'\n id", "git-upload-archive '/policy'",
	"git-upload-pack \"/policy\"", "git-upload-pack '/policy", "git-upload-pack ''/policy''", "git-upload-pack $(id)", "git-upload-pack `id`",
	"git-upload-pack '-policy'", "git-upload-pack  '/policy'", " git-upload-pack '/policy'", "git-shell -c id", "scp -f /etc/passwd",
	"git-upload-pack '/policy'\x00", "git-lfs-authenticate policy download", "git-upload-pack '/POLICY'", "env git-upload-pack '/policy'",
}

func FuzzParseCommand(f *testing.F) {
	for _, line := range hostileCommands {
		f.Add(line)
	}
	f.Add("git-upload-pack '/policy'")
	f.Fuzz(func(t *testing.T, line string) {
		service, ok := ParseCommand(line)
		if !ok {
			return
		}
		rest := strings.TrimPrefix(strings.Replace(line, "git ", "git-", 1), service+" ")
		if len(line) > 40 || strings.Trim(rest, "'/") != "policy" && strings.Trim(rest, "'/") != "policy.git" {
			t.Errorf("ParseCommand(%q) = %q, want it refused", line, service)
		}
	})
}
