package fleet

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/server/store"
)

// Fleet serves the hosts. Fill the fields and use it from many goroutines.
type Fleet struct {
	Store     *store.Store
	Authority Authority
	// Compiler compiles catalogs to compare with; nil leaves hosts unverified.
	Compiler Compiler
	// Assign picks the release that a host may run; nil gives the newest one to all.
	Assign Assigner
	// Patches returns the patch cycles that a host may take part in; nil lets it in none.
	Patches func(store.Host) []protocol.PatchGrant
	// Frozen tells whether leases stop every change; nil never does.
	Frozen func() bool
	// Reported, when set, is called after reports were stored, and when policy says something new
	// about the patching of a host.
	Reported func()
	// Interval is how long agents wait between two check-ins; 0 means DefaultInterval.
	Interval time.Duration
	// Expires is how long a lease is good; 0 means DefaultExpires.
	Expires time.Duration
	// Now is the clock of Watch; nil means time.Now.
	Now func() time.Time
	// Log gets what goes wrong in Watch; nil means slog.Default.
	Log *slog.Logger

	objects cache
	lives   lives

	twins     twins
	inbox     inbox
	leases    leases
	standings standings
	elements  elements
	inflated  sync.Pool // of *bytes.Buffer, see takeInline

	once  sync.Once
	moved chan struct{} // see moves
}

// What holds when nobody says otherwise.
const (
	DefaultInterval = 5 * time.Minute
	DefaultExpires  = 24 * time.Hour
)

// Authority makes certificates and signs leases.
type Authority interface {
	IssueHost(id inventory.HostID, csrPEM string, now time.Time) (certPEM []byte, sshFingerprint string, err error)
	SignLease(protocol.Lease) (string, error)
	CAPEM() []byte
}

// Compiler says which catalogs hosts should have. It remembers what it compiled, so that
// equal hosts cost it nothing.
type Compiler interface {
	// Catalogs returns, in their order, what the bundle with the digest makes of hosts by their newest facts.
	Catalogs(ctx context.Context, bundle string, hosts []store.Host) []Wanted
}

// Wanted is what policy makes of a host.
type Wanted struct {
	// Catalog is the digest of its catalog. Before is the one that older agents give, which leave
	// sensitive values in it; it is empty where there are none.
	Catalog, Before string
	// Terms is the JSON of the patch.Terms of the host, nil when the compiler does not tell.
	Terms []byte
	// Err tells why nothing of it is known.
	Err error
}

// Assigner returns the number of the release that a host may run, 0 for none.
type Assigner func(h store.Host, newest store.Release) uint64

// ErrRefused tells a host why it does not get what it asked for.
type ErrRefused struct {
	// Message says what is wrong, Hint what to do about it.
	Message string
	Hint    string
}

// Error is the message.
func (e *ErrRefused) Error() string { return e.Message }

func refuse(message, hint string) error { return &ErrRefused{Message: message, Hint: hint} }

func (f *Fleet) interval() time.Duration {
	if f.Interval > 0 {
		return f.Interval
	}
	return DefaultInterval
}

func (f *Fleet) expires() time.Duration {
	if f.Expires > 0 {
		return f.Expires
	}
	return DefaultExpires
}

func (f *Fleet) now() time.Time {
	if f.Now != nil {
		return f.Now()
	}
	return time.Now()
}

func (f *Fleet) log() *slog.Logger {
	if f.Log != nil {
		return f.Log
	}
	return slog.Default()
}
