// Package store remembers everything that the server knows, in SQLite or PostgreSQL.
//
// Only its exported methods open and commit transactions, and each one is all or nothing:
// when a method that writes has returned nil, what it wrote survives a crash.
package store
