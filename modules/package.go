package modules

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"plumb/modules/system"
	"plumb/policies"
)

// Package is the kind package: one package of dpkg and apt.
type Package struct {
	Name           string `json:"name" plumb:"required" doc:"Name of the package, \"nginx\" or \"libc6:i386\"."`
	State          string `json:"state,omitempty" doc:"present (default), latest (what apt would install), absent, or purged (its configuration goes, too)."`
	Version        string `json:"version,omitempty" doc:"Exact version \"1.22.1-9\", or comparisons \">= 1.22, < 1.23~\". Versions are ordered as dpkg orders them."`
	Hold           *bool  `json:"hold,omitempty" doc:"Keep the version against upgrades (apt-mark hold). Left alone when it is not given."`
	Recommends     bool   `json:"recommends,omitempty" doc:"Install what the package recommends, too."`
	AllowDowngrade bool   `json:"allow_downgrade,omitempty" doc:"Allow a newer version to be replaced by an older one."`
	AllowRemovals  bool   `json:"allow_removals,omitempty" doc:"Allow apt to remove other packages on the way. Otherwise that is an error which names them."`
	LockTimeout    string `json:"lock_timeout,omitempty" doc:"How long to wait for another package manager, such as \"10m\" (default)."`
}

func packageKind() Kind {
	return Kind{
		Name: "package", Rank: 30,
		Doc: "A package of dpkg and apt. It asks nobody anything, keeps changed configuration files, waits for " +
			"other package managers, mends what an interrupted dpkg left, and calls it done only when dpkg's own status says so.",
		New: func() Resource { return &Package{State: "present"} },
	}
}

var packageName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?$`) })

// Identity is the package's name.
func (p *Package) Identity() string { return p.Name }

// Provides is package:NAME.
func (p *Package) Provides() []string { return []string{"package:" + p.Name} }

// Needs is nothing.
func (p *Package) Needs() []string { return nil }

// Validate looks at the name, the state and the version.
func (p *Package) Validate() []Mistake {
	var list []Mistake
	if !packageName().MatchString(p.Name) {
		list = append(list, Mistake{"name", fmt.Sprintf("%q cannot be a package's name: use lower case letters, digits, +, . and -.", p.Name)})
	}
	if !slices.Contains([]string{"present", "latest", "absent", "purged"}, p.State) {
		list = append(list, Mistake{"state", fmt.Sprintf("%q is not a state: use present, latest, absent or purged.", p.State)})
	}
	if _, err := system.ParseDebConstraint(p.Version); err != nil {
		list = append(list, Mistake{"version", fmt.Sprintf("The version cannot be read: %v.", err)})
	}
	if p.Version != "" && p.State != "present" {
		list = append(list, Mistake{"version", fmt.Sprintf("A version goes with state present only, not with %s.", p.State)})
	}
	if p.Hold != nil && p.unwanted() {
		list = append(list, Mistake{"hold", "A package that shall not be there cannot be held."})
	}
	if _, err := p.lockTimeout(); err != nil {
		list = append(list, Mistake{"lock_timeout", fmt.Sprintf("%q is not a duration such as \"10m\".", p.LockTimeout)})
	}
	return list
}

func (p *Package) unwanted() bool { return p.State == "absent" || p.State == "purged" }

func (p *Package) lockTimeout() (time.Duration, error) {
	if p.LockTimeout == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(p.LockTimeout)
	if err == nil && d < 0 {
		err = errors.New("it is negative")
	}
	return d, err
}

// Check compares dpkg's status with what is wanted.
func (p *Package) Check(ctx context.Context, sys *system.System) ([]policies.Change, error) {
	db, err := sys.Dpkg()
	if errors.Is(err, system.ErrNoDpkg) {
		return nil, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	if err != nil {
		return nil, err
	}
	found, known := db.Find(p.Name)
	if p.unwanted() {
		return p.checkGone(found, known), nil
	}
	if !found.Installed() {
		return p.checkMissing(found, known), nil
	}
	return p.checkInstalled(ctx, sys, found)
}

func (p *Package) checkGone(found system.Package, known bool) []policies.Change {
	gone := !known || found.Status == "not-installed" || p.State == "absent" && found.Gone()
	if gone {
		return nil
	}
	return []policies.Change{{Attribute: "state", Before: describePackage(found, known), After: p.State}}
}

func (p *Package) checkMissing(found system.Package, known bool) []policies.Change {
	changes := []policies.Change{{Attribute: "state", Before: describePackage(found, known), After: "present"}}
	if p.Version != "" {
		changes = append(changes, policies.Change{Attribute: "version", After: p.Version})
	}
	if p.Hold != nil && *p.Hold {
		changes = append(changes, policies.Change{Attribute: "hold", Before: "false", After: "true"})
	}
	return changes
}

func (p *Package) checkInstalled(ctx context.Context, sys *system.System, found system.Package) ([]policies.Change, error) {
	var changes []policies.Change
	wanted, err := p.wantedVersion(ctx, sys, found.Version)
	if err != nil {
		return nil, err
	}
	if wanted != "" {
		changes = append(changes, policies.Change{Attribute: "version", Before: found.Version, After: wanted})
	}
	if p.Hold != nil && *p.Hold != found.Held() {
		changes = append(changes, policies.Change{Attribute: "hold", Before: fmt.Sprint(found.Held()), After: fmt.Sprint(*p.Hold)})
	}
	return changes, nil
}

// wantedVersion says in words which version is wanted in place of the installed one,
// nothing when that one will do.
func (p *Package) wantedVersion(ctx context.Context, sys *system.System, installed string) (string, error) {
	if p.State == "latest" {
		return p.newerCandidate(ctx, sys, installed)
	}
	constraint, err := system.ParseDebConstraint(p.Version)
	if err != nil {
		return "", err
	}
	ok, err := constraint.Match(installed)
	if err != nil || ok {
		return "", err
	}
	return p.Version, nil
}

func (p *Package) newerCandidate(ctx context.Context, sys *system.System, installed string) (string, error) {
	if !sys.Running() {
		return "", fmt.Errorf("%w: only apt on the running host knows the latest version", ErrUnknown)
	}
	candidate, err := sys.AptCandidate(ctx, p.Name)
	if err != nil || candidate == "" {
		return "", err
	}
	order, err := system.CompareDebVersions(candidate, installed)
	if err != nil || order <= 0 {
		return "", err
	}
	return candidate, nil
}

func describePackage(found system.Package, known bool) string {
	switch {
	case !known || found.Status == "not-installed":
		return "absent"
	case found.Installed():
		return "present " + found.Version
	default:
		return found.State()
	}
}
