// Package system is how one host answers: its files, packages, units, accounts and commands.
//
// A System lives for one run and remembers what is costly to ask (the dpkg database, the
// state of units) until somebody says that it changed. Everything it reads or writes lies
// below its root; nothing it does follows a link out of there.
package system

import (
	"io/fs"
	"sync/atomic"
	"time"

	"plumb/policies/patch"
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
	// Orders are the patch sets that the server gave the host, one for each rollout.
	Orders []patch.Order
	// Permit says why a change of the class (see package calendar) must not begin now for the
	// resource that is being applied, and is empty when it may; nil permits all.
	Permit func(class string) string
	// Frozen is true while the server has stopped every change but the mending of drift.
	Frozen bool
	// RebootWanted is set by a resource that needs the host to boot again, with the reason. The
	// agent does it when the run is over and its report is safe.
	RebootWanted string
	// Manager stands in for the package manager that would be found on the host.
	Manager PackageManager
	// Database keeps what was read of dpkg's database for others who look at the host in the same
	// moment; nil is a memory of its own.
	Database *DpkgMemory
	// Now is the host's clock for what depends on the time; nil is time.Now.
	Now func() time.Time

	trails trails
	owners ownerMemory
	dpkg   DpkgMemory
	apt    aptMemory
	sshd   sshdMemory
	units  unitMemory
	left   leftovers
	// reloaded is true when systemd was reloaded after links were changed last.
	reloaded atomic.Bool
}

// Running tells whether this is the running host and not a folder that looks like one.
func (s *System) Running() bool { return s.Root == "/" || s.Root == "" }
