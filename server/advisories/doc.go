// Package advisories reads the security notices of distributions and says which offers answer
// them: by source package, release and the distribution's own order of versions, so that a
// fix which was backported counts as one.
//
// What it reads is foreign: sizes are bounded, and text is cut to what can be shown.
package advisories
