// Package protocol is everything that agent and server say to each other: routes, bodies,
// tokens, leases and release tags, with the signatures on them.
//
// Nothing in it is believed before it is verified: [OpenLease] and [OpenRelease] are the only
// ways to get at a lease and a release, and both take the pinned keys.
package protocol

// Version is the protocol version that this build speaks.
//
//   - 1: the first: check-in with digests, leases, signed release tags.
const Version = 1

// The routes of agents. Enroll is open to anyone with a token; the others need a host's key.
const (
	PathEnroll  = "/v1/enroll"   // POST Enrollment → Enrolled
	PathCheckIn = "/v1/checkin"  // POST CheckIn → Answer
	PathObjects = "/v1/objects/" // PUT + digest: one JSON object that the server wants
	PathPieces  = "/v1/pieces/"  // PUT + digest: a part of such an object, packed, with its Content-Range → Received
	PathTags    = "/v1/tags/"    // GET + digest: a signed release tag, as Git stores it
	PathBundles = "/v1/bundles/" // GET + digest: the policy tree of a release
	PathSets    = "/v1/sets/"    // GET + digest: the JSON of a patch set
	PathRenew   = "/v1/renew"    // POST Renewal → Enrolled
)

// SSH names of the same service: which user a client logs in as, and the one channel type that is served.
const (
	SSHAgent   = "agent"  // an enrolled host, by its key
	SSHEnroll  = "enroll" // any key, reaches PathEnroll only
	SSHGit     = "git"    // an author, reaches git-upload-pack and git-receive-pack only
	SSHChannel = "http@plumb"
)

// ServerName is what a server's certificate must name for an agent, whatever the address:
// the private CA gives it to servers only.
const ServerName = "server.plumb.internal"

// Caps on what one side reads from the other, in bytes.
const (
	MaxBody   = 1 << 20 // a request body on the wire
	MaxObject = 8 << 20 // one JSON object, inflated
	MaxTag    = 64 << 10
	MaxAnswer = 1 << 20
	// MaxObjects is for what comes within a check-in, packed.
	MaxObjects = 256 << 10
)

// Problem is the body of every answer that is not a success.
type Problem struct {
	// Error says what went wrong, lower case, without a full stop.
	Error string `json:"error"`
	// Hint says what to do about it.
	Hint string `json:"hint,omitempty"`
}
