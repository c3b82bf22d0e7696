package inventory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Facts is what an agent found out about its host. Policies read it as fact.* under the
// JSON names below. A fact that the host lacks is left out, so that a policy which reads
// it gets an error with its line and never a silent null. Nothing in it changes from
// minute to minute (no uptime, no free memory): equal facts must have equal digests.
type Facts struct {
	// OS is the operating system as /etc/os-release and uname tell it.
	OS OS `json:"os"`
	// Kernel is the release of the running kernel, such as "6.1.0-56-amd64".
	Kernel string `json:"kernel,omitempty"`
	// Arch is the machine's architecture in Go's words: amd64, arm64.
	Arch string `json:"arch"`
	// Hostname is what the kernel calls the host, without a domain.
	Hostname string `json:"hostname,omitempty"`
	// FQDN is the name with its domain, where /etc/hosts knows one.
	FQDN string `json:"fqdn,omitempty"`
	// Chassis is server, vm, container, laptop or desktop.
	Chassis string `json:"chassis,omitempty"`
	// Virtual is what the host runs on, as systemd-detect-virt calls it; "none" on metal.
	Virtual string `json:"virtual,omitempty"`
	// Init is systemd when that is process 1, else other.
	Init string `json:"init,omitempty"`
	// CPUs counts the processors that the kernel has online.
	CPUs int `json:"cpus,omitempty"`
	// MemoryMB is the memory of the machine in MiB.
	MemoryMB int64 `json:"memory_mb,omitempty"`
	// PackageManager is apt, dnf, zypper or absent.
	PackageManager string `json:"package_manager,omitempty"`
	// Packages maps each installed package to its version ("1:9.2p1-2+deb12u3").
	Packages map[string]string `json:"packages"`
	// Interfaces maps each network interface that is up, but lo, to its addresses in CIDR form.
	Interfaces map[string][]string `json:"interfaces"`
	// Mounts maps each mount point of a disk or tmpfs to its file system and options.
	Mounts map[string]Mount `json:"mounts"`
	// Timezone is the IANA zone of the host, "Etc/UTC" where nothing says otherwise.
	Timezone string `json:"timezone,omitempty"`
	// BootID changes with each boot; it is how a reboot is seen.
	BootID string `json:"-"`
	// Custom holds what administrators put into facts.d: one JSON object a file, by file name.
	Custom map[string]any `json:"custom,omitempty"`
}

// OS names an operating system.
type OS struct {
	// Kernel is "linux".
	Kernel string `json:"kernel"`
	// Family is debian, rhel, suse or arch: which package manager's world this is.
	Family string `json:"family,omitempty"`
	// ID, Version, Codename and Name are ID, VERSION_ID, VERSION_CODENAME and PRETTY_NAME of os-release.
	ID       string `json:"id,omitempty"`
	Version  string `json:"version,omitempty"`
	Codename string `json:"codename,omitempty"`
	Name     string `json:"name,omitempty"`
}

// Mount is one mounted file system.
type Mount struct {
	// Device is what is mounted, such as /dev/vda1 or tmpfs.
	Device string `json:"device"`
	// Type is the file system's type, such as ext4.
	Type string `json:"type"`
	// Options are the mount options in the kernel's order.
	Options []string `json:"options"`
}

// Tree returns the facts as the JSON tree that policies read.
func (f Facts) Tree() (map[string]any, error) {
	packages := textTree(f.Packages)
	if packages != nil {
		f.Packages = nil // most of the facts, and the same in the tree
	}
	raw, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("cannot encode facts: %w", err)
	}
	var tree map[string]any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, fmt.Errorf("cannot read facts back: %w", err)
	}
	if packages != nil {
		tree["packages"] = packages
	}
	return tree, nil
}

// textTree is what JSON makes of a map of texts, nil for what it would change.
func textTree(texts map[string]string) map[string]any {
	if texts == nil {
		return nil
	}
	tree := make(map[string]any, len(texts))
	for key, text := range texts {
		if !utf8.ValidString(key) || !utf8.ValidString(text) {
			return nil
		}
		tree[key] = text
	}
	return tree
}

// Digest names a JSON object by the SHA-256 of its bytes, as 64 hexadecimal digits.
func Digest(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
