package agent

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"

	"plumb/agent/state"
)

// Instance returns a random name of this boot of this machine. It lies in /run, and so not in what is
// copied when somebody copies a disk or the state folder: the server tells by it that there are two
// machines of one host. Where it cannot be kept the process has a name of its own, and a name never
// comes back.
func Instance(root string) string {
	path := filepath.Join(root, "run", "plumb-agent", "instance")
	if raw, err := os.ReadFile(path); err == nil && len(raw) > 20 {
		return strings.TrimSpace(string(raw))
	}
	name := rand.Text()
	if _, err := os.Stat(filepath.Join(root, "run")); err == nil && os.MkdirAll(filepath.Dir(path), 0o700) == nil {
		_ = state.WriteFile(path, []byte(name+"\n"))
	}
	return name
}
