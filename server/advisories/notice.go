package advisories

import (
	"fmt"
	"slices"
	"time"

	"plumb/inventory"
	"plumb/policies/patch"
)

// MaxNotices is more notices than a package manager has updates for.
const MaxNotices = 20_000

// FromHosts tells whether advisories of the feed come from hosts, and not from an import.
func FromHosts(feed string) bool { return feed == "dnf" || feed == "zypper" }

// CheckNotices finds what makes the notices of a host unusable: wrong words, or too many of them.
func CheckNotices(list []inventory.Notice) error {
	if len(list) > MaxNotices {
		return fmt.Errorf("it has %d notices; %d is the most", len(list), MaxNotices)
	}
	for _, n := range list {
		if !idForm.MatchString(n.ID) {
			return fmt.Errorf("%.100q is no name of a notice", n.ID)
		}
		if len(n.Fixes) > maxAffected || len(n.CVEs) > maxAffected || len(n.Summary) > 64<<10 || len(n.Issued) > maxWord {
			return fmt.Errorf("the notice %s is too large", n.ID)
		}
		for _, f := range n.Fixes {
			if !packageForm.MatchString(f.Package) || !usable(f.Version) || !usable(f.Arch) {
				return fmt.Errorf("the notice %s has a fix without a usable name or version", n.ID)
			}
		}
	}
	return nil
}

// OfNotice is the advisory in a notice of a host's package manager. What it concerns are binary
// packages: the manager is the origin, and no release is named.
func OfNotice(manager string, n inventory.Notice) patch.Advisory {
	a := patch.Advisory{ID: n.ID, Feed: manager, Summary: line(n.Summary, maxSummary), Severity: severityText(n.Severity), CVEs: cves(n.CVEs...), Affected: []patch.Affected{}}
	if issued, err := time.Parse(time.RFC3339, n.Issued); err == nil {
		a.Published = issued.UTC().Truncate(time.Millisecond)
	}
	for _, f := range n.Fixes {
		one := patch.Affected{Origin: manager, Package: f.Package, Fixed: f.Version}
		if !slices.Contains(a.Affected, one) {
			a.Affected = append(a.Affected, one)
		}
	}
	return a
}

// AnsweredNotices returns those of a host's notices that an offer to the same host answers. A
// notice counts for the host that told it: one host cannot make an update urgent for another.
func AnsweredNotices(o inventory.Offer, list []inventory.Notice) []patch.Advisory {
	var answered []patch.Advisory
	for _, n := range list {
		if slices.ContainsFunc(n.Fixes, func(f inventory.Fix) bool { return answersFix(o, f) }) {
			answered = append(answered, OfNotice(o.Manager, n))
		}
	}
	return answered
}

func answersFix(o inventory.Offer, f inventory.Fix) bool {
	sameArch := f.Arch == "" || f.Arch == o.Arch || f.Arch == "noarch" || o.Arch == "noarch"
	return f.Package == o.Package && sameArch && Newer(o.Manager, f.Version, o.Installed) && !Newer(o.Manager, f.Version, o.Candidate)
}
