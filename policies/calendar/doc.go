// Package calendar says when change may start on a host: in its windows, and not in a freeze.
//
// It is plain values and pure functions, so that an agent without a server comes to the same
// answer as the server does. Every time is passed in, and so is the host's own zone. A start
// that the clocks skip is the first instant after the gap, one that they show twice is the first
// of the two, and a duration is time that really passes.
package calendar
