// Package patch says which updates a policy approves and how fast they have to be in: patch
// baselines, advisories and patch SLAs, with the judgement over one offer.
//
// All of it is pure: the same baseline, offer, advisories and time give the same verdict, and
// an approval that was given is never taken back by the passing of time.
package patch
