package pagesum

import "unsafe"

// What follows is all that goes around Go's types. The memory is SQLite's, which Go's collector neither moves nor frees.

// at is a pointer to an address.
func at(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

// address is where something in SQLite's memory lies.
func address[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

func bytesAt(p uintptr, n int32) []byte { return unsafe.Slice((*byte)(at(p)), n) }

// entry makes a function of this package, which must not be a closure, into what the translated SQLite calls.
func entry[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// method is the other way.
func method[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&p)) }
