// Package lang is the policy language: it turns a tree of HCL files into one catalog for one host.
//
// Evaluation is pure. The same tree, host and facts give the same catalog on server and agent,
// byte for byte. Text past the limits gets a diagnostic, but whoever compiles a foreign tree
// still does it in a child process (package compiler).
package lang

// Version is what required_version of a plumb block is held against.
const Version = "1.0.0"
