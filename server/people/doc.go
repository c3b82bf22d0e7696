// Package people knows who may sign in to the pages and how they prove it: with a password of this
// server, or through an OpenID provider.
//
// It decides who somebody is and which role they have; sessions and cookies belong to package web.
// Whatever a stranger gets wrong is a [Refusal], whose words tell them nothing about who has an account.
package people
