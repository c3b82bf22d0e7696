// Package fleet speaks with the hosts: it enrols them, takes their reports, hands out leases
// and notices who has fallen silent or compiled something else than expected.
//
// A host is who its key says, never who it claims to be; what it sends is checked here before
// any of it is stored, and a report counts once, however often it arrives.
package fleet
