// Package plumb is the root of the module. It holds no code, only the tests that keep the
// house in order: who may import whom, and that every package says what it is for.
package plumb
