package testenv

import (
	"crypto/sha256"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// CacheVariable names the environment variable that says where the base system is kept.
const CacheVariable = "PLUMB_TESTENV_CACHE"

//go:embed scripts/base.sh
var baseScript []byte

// Cache is the folder that holds what every world shares: the base system of its hosts and
// the key to them. It must not be on an overlay file system itself.
type Cache string

// DefaultCache is $PLUMB_TESTENV_CACHE, or plumb-testenv in the user's cache folder.
func DefaultCache() (Cache, error) {
	if dir := os.Getenv(CacheVariable); dir != "" {
		return Cache(dir), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cannot find a place for the base system: %w; set %s", err, CacheVariable)
	}
	return Cache(filepath.Join(dir, "plumb-testenv")), nil
}

// Base is the root file system below all hosts. Its name changes with the script that makes it.
func (c Cache) Base() string {
	sum := sha256.Sum256(baseScript)
	return filepath.Join(string(c), fmt.Sprintf("base-%x", sum[:6]))
}

// Key is the private SSH key that every host lets in as root.
func (c Cache) Key() string { return filepath.Join(string(c), "id_ed25519") }

// tools are the programs that worlds call, each with the Debian package that brings it.
func tools() map[string]string {
	return map[string]string{
		"mmdebstrap":     "mmdebstrap",
		"systemd-nspawn": "systemd-container",
		"ip":             "iproute2",
		"nft":            "nftables",
		"nsenter":        "util-linux",
		"apt-ftparchive": "apt-utils",
		"dpkg-deb":       "dpkg",
		"gpg":            "gnupg",
		"rpmbuild":       "rpm",
		"createrepo_c":   "createrepo-c",
		"ssh-keygen":     "openssh-client",
		"git":            "git",
		"strace":         "strace",
	}
}

// missingTools returns the programs that are not installed.
func missingTools() []string {
	var missing []string
	for tool := range tools() {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	return missing
}

// Missing says why no world can start here, in one sentence, or nothing when one can.
func Missing(c Cache) string {
	if os.Geteuid() != 0 {
		return "needs root: hosts are made of namespaces, mounts and cgroups"
	}
	if missing := missingTools(); len(missing) > 0 {
		return fmt.Sprintf("needs %s: run `go run ./testenv/cmd/world prepare`", strings.Join(missing, ", "))
	}
	if _, err := os.Stat(c.Base()); err != nil {
		return fmt.Sprintf("needs the base system %s: run `go run ./testenv/cmd/world prepare`", c.Base())
	}
	return ""
}
