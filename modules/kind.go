package modules

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"plumb/modules/system"
	"plumb/policies"
	"plumb/policies/canon"
)

// Resource is one thing on a host that can be measured. Its implementation is a pointer to
// a struct whose exported fields are the kind's attributes (see [Kind.Attributes]).
type Resource interface {
	// Identity is what two declarations of the same thing have in common: a path, a name.
	Identity() string
	// Validate returns the mistakes that the types of the attributes cannot express.
	// It must not look at a host: it also runs on the server.
	Validate() []Mistake
	// Check returns what differs from what is wanted, nothing when all is well. It never
	// changes the host. An error that wraps [ErrUnknown] means that it cannot be told here,
	// one that wraps [ErrWait] that something has to be waited for.
	Check(ctx context.Context, sys *system.System) ([]policies.Change, error)
}

// Applier is a Resource that can be mended. Without it a kind is a check.
type Applier interface {
	Resource
	// Apply makes the changes that Check has just returned. A Check right after finds none.
	Apply(ctx context.Context, sys *system.System, changes []policies.Change) error
}

// Quiet is a Resource whose Check does nothing but look, so that it may run beside others and
// before its turn.
type Quiet interface {
	Quiet() bool
}

// Refresher is a Resource that can be notified: reload a service, run a command.
type Refresher interface {
	Refresh(ctx context.Context, sys *system.System) error
}

// Settler is a Resource that is believed only when it was looked at once more, a moment after it was
// applied or refreshed.
type Settler interface {
	// Settles tells when that moment has come, and false when nothing is owed.
	Settles() (time.Time, bool)
	// Settled does what was put off and says what went wrong meanwhile.
	Settled(ctx context.Context, sys *system.System) error
}

// Pressing is a Resource that may have to go on though no window is open: it was begun and
// must not be left half done, or its deadline is over.
type Pressing interface {
	// Presses says why, and is empty when it can wait.
	Presses(sys *system.System, now time.Time) string
}

// Patcher is a Resource that tells how a patch cycle fares; it is asked after Check and Apply.
type Patcher interface {
	Patched() *policies.Patched
}

// Linker is a Resource that takes part in automatic ordering. Both lists hold names such as
// "path:/etc/ssh", "user:deploy", "group:deploy", "package:nginx", "unit:nginx.service";
// whoever needs a name comes after whoever provides it.
type Linker interface {
	Provides() []string
	Needs() []string
}

// Mistake is one attribute value that cannot be meant.
type Mistake struct {
	// Attribute names it; empty blames the whole block.
	Attribute string
	// Detail says in sentences what is wrong and what to write instead.
	Detail string
}

var (
	// ErrUnknown is wrapped when a check cannot tell: its tool is missing, systemd does not run here.
	ErrUnknown = errors.New("cannot be told here")
	// ErrWait is wrapped when the host is busy, such as a package lock held by somebody else.
	ErrWait = errors.New("has to wait")
)

// Kind is one word of the vocabulary.
type Kind struct {
	// Name is what stands behind resource or check in a policy.
	Name string
	// Check is true for kinds of check blocks: they have no Apply.
	Check bool
	// Internal is true for what other blocks stand for (a rollout makes the resource patch): a
	// resource block cannot name it.
	Internal bool
	// Rank orders resources that nothing else orders: lower first.
	Rank int
	// Doc is the paragraph of the reference page.
	Doc string
	// New returns a pointer to the kind's struct with its defaults set.
	New func() Resource
}

// Find returns the kind of that name among the resources or the checks.
func Find(name string, check bool) (Kind, bool) {
	known, ok := index()[kindKey{name, check}]
	return known.Kind, ok
}

// Secrets names the attributes of a kind whose values are always hidden.
func Secrets(name string, check bool) []string { return index()[kindKey{name, check}].secrets }

type kindKey struct {
	name  string
	check bool
}

type indexed struct {
	Kind
	secrets []string
}

// index is made once: each resource of each run is looked up in it.
var index = sync.OnceValue(func() map[kindKey]indexed {
	all := map[kindKey]indexed{}
	for _, k := range Kinds() {
		one := indexed{Kind: k}
		for _, a := range k.Attributes() {
			if a.Secret {
				one.secrets = append(one.secrets, a.Name)
			}
		}
		all[kindKey{k.Name, k.Check}] = one
	}
	return all
})

// Decode makes the resource of a catalog entry. An attribute that the kind does not have is
// an error: an older agent must not silently ignore what a newer policy wants.
func Decode(r policies.Resource) (Resource, error) {
	kind, ok := Find(r.Kind, r.Check)
	if !ok {
		return nil, fmt.Errorf("%w: this agent does not know the kind %q: upgrade it", ErrUnknown, r.Kind)
	}
	one := kind.New()
	if err := canon.UnmarshalStrict(r.Attributes, one); err != nil {
		return nil, fmt.Errorf("cannot read the attributes of %s: %w", r.Address, err)
	}
	return one, nil
}
