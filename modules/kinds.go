package modules

import "slices"

// Kinds lists every kind: the written ones, for each resource a check of the same name, and
// what other blocks stand for.
func Kinds() []Kind { return slices.Concat(written(), measured(), internal()) }

// written lists the kinds that have a file. A new kind is one line here and one file.
func written() []Kind {
	return []Kind{
		fileKind(),
		directoryKind(),
		symlinkKind(),
		sysctlKind(),
		commandKind(),
		commandCheckKind(),
		fileContentCheckKind(),
		groupKind(),
		userKind(),
		packageKind(),
		serviceKind(),
		sshdDirectiveKind(),
		listeningPortsCheckKind(),
	}
}

// internal lists the kinds that no resource or check block can name.
func internal() []Kind { return []Kind{patchKind()} }

// measured lets every kind of resource stand behind check as well: the same attributes, only
// ever measured. Checks never conflict with each other or with a resource, so a baseline may
// want a value of at most 4 where a policy sets it to 3.
func measured() []Kind {
	var list []Kind
	all := written()
	for _, k := range all {
		if !k.Check && !slices.ContainsFunc(all, func(other Kind) bool { return other.Check && other.Name == k.Name }) {
			k.Check, k.Rank = true, checkRank
			k.Doc += " As a check it is only ever measured."
			list = append(list, k)
		}
	}
	return list
}

// checkRank puts checks behind everything that changes a host.
const checkRank = 100
