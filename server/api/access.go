package api

import (
	"plumb/inventory"
	"plumb/server/store"
)

// Access is what a route demands of its caller.
type Access string

// The accesses. Roles include the ones before them: viewer, auditor, operator, admin.
const (
	Open     Access = "open"     // anybody; the handler checks a secret of its own where it needs one
	Host     Access = "host"     // an enrolled host that is not revoked, about itself
	Viewer   Access = "viewer"   // reads states and figures
	Auditor  Access = "auditor"  // reads evidence as well
	Operator Access = "operator" // acts on hosts
	Admin    Access = "admin"    // hands out access
	Local    Access = "local"    // the unix socket only: hooks and sign-in links
)

// Accesses lists them all, for the test that walks every route.
var Accesses = []Access{Open, Host, Viewer, Auditor, Operator, Admin, Local}

var roles = []Access{Viewer, Auditor, Operator, Admin}

// Caller is who is calling, decided from a key, a token or the socket; never from what a
// request says about itself.
type Caller struct {
	// Host is set for an enrolled host.
	Host inventory.HostID
	// Name is a person's, for the record of acts.
	Name string
	// Role is a person's; empty for hosts and strangers.
	Role Access
	// Session is the hash of the cookie by which a person came, and Account the name of the account
	// that it is of; both are empty for tokens, and a link's session has no account.
	Session string
	Account string
	// Local is true on the unix socket.
	Local bool
	// row is what the store has of the host.
	row store.Host
}

// May tells whether the caller satisfies the access.
func (c Caller) May(a Access) bool {
	switch a {
	case Open:
		return true
	case Host:
		return c.Host != ""
	case Local:
		return c.Local
	}
	return rank(c.Role) >= rank(a) && rank(a) >= 0
}

// rank orders roles; -1 is none.
func rank(role Access) int {
	for i, r := range roles {
		if r == role {
			return i
		}
	}
	return -1
}

// IsRole tells whether the word names a role that a person can have.
func IsRole(word string) bool { return rank(Access(word)) >= 0 }
