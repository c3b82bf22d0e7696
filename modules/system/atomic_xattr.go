package system

import (
	"bytes"
	"strings"

	"golang.org/x/sys/unix"
)

// maxAttribute bounds one extended attribute; the kernel's own limit.
const maxAttribute = 64 << 10

// keptAttributes returns the extended attributes that a new file takes over from the old
// one: its SELinux label always, its access control list and user attributes when the
// owner stays the same. Capabilities and integrity hashes belong to the old content.
func keptAttributes(fd int, sameOwner bool) map[string][]byte {
	kept := map[string][]byte{}
	for _, name := range attributeNames(fd) {
		personal := name == "system.posix_acl_access" || strings.HasPrefix(name, "user.")
		if name != "security.selinux" && !(personal && sameOwner) {
			continue
		}
		buf := make([]byte, maxAttribute)
		n, err := unix.Getxattr(descriptor(fd), name, buf)
		if err == nil {
			kept[name] = buf[:n]
		}
	}
	return kept
}

func attributeNames(fd int) []string {
	buf := make([]byte, maxAttribute)
	n, err := unix.Listxattr(descriptor(fd), buf)
	if err != nil || n == 0 {
		return nil
	}
	var names []string
	for _, name := range bytes.Split(bytes.TrimSuffix(buf[:n], []byte{0}), []byte{0}) {
		names = append(names, string(name))
	}
	return names
}
