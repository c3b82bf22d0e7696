package advisories

import (
	"strings"

	"plumb/inventory"
	"plumb/modules/system"
	"plumb/policies/patch"
)

// Answered returns those of the advisories that the offer answers: what is installed is
// affected, and the candidate is not.
func Answered[A any](o inventory.Offer, list []A, of func(A) patch.Advisory) []A {
	var answered []A
	for _, a := range list {
		if answers(o, of(a)) {
			answered = append(answered, a)
		}
	}
	return answered
}

func answers(o inventory.Offer, a patch.Advisory) bool {
	for _, one := range a.Affected {
		if concerns(one, o) && one.Fixed != "" && older(o.BuiltFrom(), one.Fixed) && !older(o.FixedIn(), one.Fixed) {
			return true
		}
	}
	return false
}

// concerns compares distribution, release and source package. A package of the same name from
// somebody else's repository has versions of its own, about which the advisory says nothing.
func concerns(one patch.Affected, o inventory.Offer) bool {
	return one.Package == o.Source && one.Release == Release(o) && one.Origin == vendor(o.Origin)
}

func vendor(origin string) string {
	if strings.HasPrefix(origin, "UbuntuESM") {
		return "Ubuntu"
	}
	return strings.TrimSuffix(origin, " Backports") // "Debian Backports"
}

// Release is the codename of the distribution's release: bookworm for bookworm-security. In
// Ubuntu it is the suite that carries the pocket, and the codename is bare already.
func Release(o inventory.Offer) string {
	name, _, _ := strings.Cut(o.Codename, "-")
	name, _, _ = strings.Cut(name, "/") // buster/updates, as it was called once
	return name
}

// Newer tells whether a comes after b in the order of the package manager. It is false for what
// the manager itself would refuse to compare: then nothing is known.
func Newer(manager, a, b string) bool {
	compare := system.CompareDebVersions
	if FromHosts(manager) { // those with rpm
		compare = system.CompareRPMVersions
	}
	order, err := compare(a, b)
	return err == nil && order > 0
}

// older compares versions of source packages, which only apt's distributions name in advisories.
func older(a, b string) bool { return Newer("apt", b, a) }
