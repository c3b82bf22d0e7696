// Package release turns commits of the policy repository into signed releases.
//
// A commit counts only once a signed tag says so. In trial mode the server's own key signs
// each good commit on main. As soon as a release carries an allowed signers file, only the
// people in it can sign, and the server never signs again.
package release
