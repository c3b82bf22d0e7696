package store

import (
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
	"plumb/policies/patch"
)

// Host is one enrolled machine and how it stands now.
type Host struct {
	inventory.Host
	// Key is the SHA-256 fingerprint of its ed25519 key in SSH form ("SHA256:…"); no two hosts
	// ever have the same one.
	Key      string
	Enrolled time.Time
	// Revoked is zero while the host may call.
	Revoked   time.Time
	RevokedBy string
	// LastSeen is when it last called, by the server's clock; zero when it never did.
	LastSeen time.Time
	// Agent is the version of its agent.
	Agent string
	// Epoch and Seq name the newest report that is stored.
	Epoch string
	Seq   uint64
	// Counter is the newest lease counter and Floor the oldest release that it still runs.
	Counter uint64
	Floor   uint64
	// Newest is which release was the newest when Caller read the row; 0 when it did not look.
	Newest uint64
	// Release, Commit and the digests are those of the newest report.
	Release uint64
	Commit  string
	Facts   string
	Catalog string
	Result  string
	// Offers is the digest of what its package manager offers, empty when that is not known;
	// Terms that of what policy says about its patching, empty until it was compiled here.
	Offers string
	Terms  string
	// Expected is the digest of the catalog that the server compiled for the same release and
	// facts; empty while it is not known. Mismatch says that the two differ: an alarm.
	Expected string
	Mismatch bool
	// Since is the start of the current interval, Ran the end of the newest run.
	Since time.Time
	Ran   time.Time
	// Status is how the host stands: policies.Stale while it is silent, else the worst of its
	// resources as Found has it. Unknown before the first report.
	Status policies.Status
	// Found is the status that its newest report gave it, silent or not.
	Found policies.Status
	// Counts says how many of its resources have each status.
	Counts map[policies.Status]int
	// Audit and Stale are those of the newest report: forced audit mode, lease run out.
	Audit bool
	Stale bool
	// Problem says why its newest run was refused or not compiled.
	Problem string
	// Paused is set while the host's own administrator holds changes back.
	Paused *protocol.Pause
	// BootID tells a reboot.
	BootID string
}

// HostFilter selects hosts. Zero fields select all.
type HostFilter struct {
	// Prefix and Contains match the name.
	Prefix   string
	Contains string
	// Status, when set, must be equal.
	Status policies.Status
	// Labels must all be there with these values.
	Labels map[string]string
	// Release, when not 0, is the release of the newest report.
	Release uint64
	// Mismatch selects only hosts whose catalog is not the one that the server compiled.
	Mismatch bool
	// Problem selects only hosts whose newest run was refused or did not compile.
	Problem bool
	// Revoked adds the hosts that were revoked.
	Revoked bool
	// After is the last name of the page before; Limit the most to return, 0 for all.
	After string
	Limit int
}

// FleetCounts says how the fleet stands, revoked hosts left out of all but Revoked.
type FleetCounts struct {
	Total   int
	Revoked int
	// Status counts hosts by status; hosts that never reported are under policies.Unknown.
	Status map[policies.Status]int
	// Mismatch counts hosts whose catalog is not the expected one, Problems those whose
	// newest run was refused or did not compile.
	Mismatch int
	Problems int
}

// Heartbeat is what a check-in tells besides its reports.
type Heartbeat struct {
	Agent   string
	Counter uint64
	Floor   uint64
	Paused  *protocol.Pause
}

// Token lets one host enrol, or one person use the API.
type Token struct {
	// ID is shown and revoked by; Hash is the SHA-256 of the secret, in hexadecimal.
	ID   string
	Hash string
	// Role is empty for enrolment, else what the holder may do.
	Role string
	// Name is the host name that it is bound to (empty: any), or the person's.
	Name string
	// Labels are given to the host that enrols with it.
	Labels  map[string]string
	Created time.Time
	// Expires is zero for never.
	Expires time.Time
	// Used is when an enrolment consumed it, UsedBy the host's ID. Tokens of people are not used up.
	Used      time.Time
	UsedBy    string
	CreatedBy string
	// Revoked is zero while the token is good.
	Revoked time.Time
}

// The kinds of objects.
const (
	KindFacts   = "facts"
	KindCatalog = "catalog"
	KindResult  = "result"
	KindOffers  = "offers"
	KindTerms   = "terms"
	KindBundle  = "bundle"
	KindTag     = "tag"
	KindSet     = "patchset"
)

// Ref names an object: what it is and the SHA-256 of its bytes, in hexadecimal.
type Ref struct {
	Kind   string
	Digest string
}

// Release is one signed release.
type Release struct {
	// Number counts from 1 without gaps.
	Number  uint64
	Commit  string
	Subject string
	Author  string
	// Committed is when the commit was made, Made when the server took the release in.
	Committed time.Time
	Made      time.Time
	// Tag and Bundle are digests of objects, Size the bundle's bytes.
	Tag    string
	Bundle string
	Size   int64
	// RollbackTo is the oldest release that may take this one's place again.
	RollbackTo uint64
	// Signer is who signed the tag and Key that key's fingerprint; Trial is true for the server's own.
	Signer string
	Key    string
	Trial  bool
	// Signers is the text of the allowed signers in force after this release.
	Signers string
}

// Step is what one report does to the store.
type Step struct {
	Report policies.Report
	// Host is the host as it stands after the report. Identity and heartbeat fields are not
	// read: Release, Commit, digests, Since, Ran, Found, Counts, Audit, Stale, Problem,
	// BootID and Offers are.
	Host Host
	// Offered are the offers that the report names, when they are others than before.
	Offered []inventory.Offer
	// Notices are the advisories that the host's own package manager names with them.
	Notices []patch.Advisory
	// NewInterval closes the current interval at Host.Since and opens another; Findings then
	// replace those of the host. Without it findings stay as they are.
	NewInterval bool
	// Events are added in this order. Their Host, HostName and ID are not read.
	Events []Event
	// Findings are the resources that do not pass. One that was there before keeps its Since.
	Findings []Finding
	// Objects are stored with the report that names them.
	Objects []Object
	// PatchHosts replace those of the host; nil leaves them as they are. Their Host is not read.
	PatchHosts []PatchHost
}

// Interval is a time in which nothing changed about a host.
type Interval struct {
	Host  inventory.HostID
	Since time.Time
	// Until is the Since of the next interval; zero while it lasts.
	Until time.Time
	// LastCheckIn is when the host last called in it.
	LastCheckIn time.Time
	Release     uint64
	Commit      string
	Catalog     string
	Facts       string
	Result      string
	// Status is policies.Stale for a time of silence.
	Status policies.Status
	Counts map[policies.Status]int
	// Problem, Audit and Expired are Problem, Audit and Stale of the host.
	Problem string
	Audit   bool
	Expired bool
}

// The kinds of events.
const (
	EventEnrolled = "enrolled" // the host got its identity
	EventRevoked  = "revoked"  // and lost it
	EventOpened   = "opened"   // a resource stopped passing
	EventChanged  = "changed"  // a resource that does not pass got another status
	EventClosed   = "closed"   // a resource passes again, or is no longer wanted
	EventRepaired = "repaired" // a resource was changed, each time
	EventFailed   = "failed"   // a resource could not be made as wanted, each time
	EventRefused  = "refused"  // a release was refused, quarantined or did not compile
	EventRebooted = "rebooted" // the host runs under another boot ID
	EventMismatch = "mismatch" // the host's catalog is not the one that the server compiled
	EventStale    = "stale"    // the host fell silent
	EventFlapping = "flapping" // a resource is left alone, for somebody else fights for it
	EventTwin     = "twin"     // two machines use the identity of the host
	EventReturned = "returned" // a silent host called again, or the agent lost its state
)

// Event is one thing that happened. Events are only ever added.
type Event struct {
	// ID grows with time of storing.
	ID       int64
	Host     inventory.HostID
	HostName string
	// Seq is the report that told it, 0 when the server saw it itself.
	Seq uint64
	At  time.Time
	// Checked is when the resource was last seen as it should be, for one that drifted; zero when
	// that is not known.
	Checked time.Time
	// Kind is one of the Event constants.
	Kind string
	// Address is the resource, empty for events of the whole host.
	Address string
	Cause   policies.Cause
	// Status is the new status and Before the old one.
	Status  policies.Status
	Before  policies.Status
	Changes []policies.Change
	// Release and Commit are in force; FromCommit was before. For the cause intentional policy came
	// to want this between FromCommit and ToCommit, which may be older than Commit: something waited
	// for a window, or failed. They are equal when what changed was a fact.
	Release    uint64
	Commit     string
	FromCommit string
	ToCommit   string
	Message    string
	// By says who changed the resource, as far as the host's kernel told.
	By string
}

// EventFilter selects events, the newest first. Zero fields select all.
type EventFilter struct {
	Host    inventory.HostID
	Address string
	// Policy selects the events of the resources of one policy.
	Policy string
	Kinds  []string
	Causes []policies.Cause
	// Release, when not 0, is the release in force; Own leaves out the drift that was mended
	// while it was, which is not its doing.
	Release uint64
	Own     bool
	// Since is included, Until is not.
	Since time.Time
	Until time.Time
	// Before is the last ID of the page before; Limit the most to return, 0 for 1,000.
	Before int64
	Limit  int
	// from is the row before which nothing is looked for; see eventsNear.
	from int64
}

// Finding is one resource of one host that does not pass now.
type Finding struct {
	Host     inventory.HostID
	HostName string
	Address  string
	Status   policies.Status
	// Since is when it stopped passing.
	Since time.Time
	Mode  policies.Mode
	Cause policies.Cause
	// From and To are the commits between which policy came to want it, for the cause intentional.
	From, To string
	Changes  []policies.Change
	Message  string
	Policy   string
	Severity string
	Controls []string
	Source   policies.Position
	// By says who changed it, as far as the host's kernel told.
	By string
	// Flapping is set while the host leaves it alone because somebody else fights for it.
	Flapping *policies.Flapping
}

// FindingFilter selects findings, ordered by host and address. Zero fields select all.
type FindingFilter struct {
	Host    inventory.HostID
	Address string
	Status  policies.Status
	Control string
	// Flapping selects only what is left alone because somebody else fights for it.
	Flapping bool
	// Policy selects the resources of one policy; Since those that stopped passing then or later.
	Policy string
	Since  time.Time
	// After is the last finding of the page before; Limit the most to return, 0 for 1,000.
	After *Finding
	Limit int
}

// Author is a person who may push and sign.
type Author struct {
	Name string
	// Key is the public key as a line of authorized_keys, Fingerprint its SHA-256.
	Key         string
	Fingerprint string
	Added       time.Time
	AddedBy     string
}

// SignIn is a one-time code for the pages.
type SignIn struct {
	// Hash is the SHA-256 of the code, in hexadecimal.
	Hash    string
	Role    string
	Name    string
	Expires time.Time
}

// Session is a browser that signed in.
type Session struct {
	// Hash is the SHA-256 of the cookie's value, in hexadecimal.
	Hash string
	// Role is what the person had when they signed in.
	Role string
	Name string
	// Account is the name of the account; empty for a session that a link opened.
	Account string
	// Browser says in a few words which one it is, so that its person knows it again.
	Browser string
	Created time.Time
	Expires time.Time
}

// Account is a person who signs in by themselves.
type Account struct {
	Name string
	Role string
	// Issuer and Subject are who a person is at an OpenID provider; empty for local accounts.
	Issuer  string
	Subject string
	// Password is its hash as a PHC string; empty while none is set.
	Password  string
	Created   time.Time
	CreatedBy string
	// Changed is when the password was set, SignedIn when somebody last came in.
	Changed  time.Time
	SignedIn time.Time
	// Disabled is since when nobody can sign in; zero for accounts in use.
	Disabled time.Time
}

// Act is something that a person did to the server.
type Act struct {
	ID int64
	At time.Time
	// Who did What ("token create") to which Detail.
	Who    string
	What   string
	Detail string
}
