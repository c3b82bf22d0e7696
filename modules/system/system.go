// Package system is how one host answers: its files, packages, units, accounts and commands.
//
// A System lives for one run and remembers what is costly to ask (the dpkg database, the
// state of units) until somebody says that it changed. Everything it reads or writes lies
// below its root; nothing it does follows a link out of there.
package system

import (
	"io/fs"
)

// System is one host, seen through its root folder.
type System struct {
	// Root is "/" on a real host. Below another root only files, accounts and the dpkg
	// database answer; whatever needs a running host is unknown there.
	Root string
	// Tree is the policy tree of the running release, for file sources.
	Tree fs.FS
	// State is the agent's own folder (0700, root): backups and private temporary files.
	State string
	// Managed holds the paths that the running catalog provides ("path:" names of Linker,
	// without the prefix). A directory that purges leaves them alone; nil forbids purging.
	Managed map[string]bool

	owners ownerMemory
	dpkg   dpkgMemory
	apt    aptMemory
	sshd   sshdMemory
}

// Running tells whether this is the running host and not a folder that looks like one.
func (s *System) Running() bool { return s.Root == "/" || s.Root == "" }
