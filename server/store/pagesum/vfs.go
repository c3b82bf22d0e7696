package pagesum

import (
	"fmt"
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// VFS is the name of the layer, for the parameter vfs of a connection.
const VFS = "pagesum"

// layer is our file system in SQLite's list: a copy of its own one, with another way to open.
type layer struct {
	sqlite3.Tsqlite3_vfs
	base      uintptr
	parameter uintptr // the name of the parameter that says who watches
}

// Register tells SQLite of the layer. It stays there as long as the process lives, as do the other file systems.
var Register = sync.OnceValue(register)

func register() error {
	tls := libc.NewTLS()
	defer tls.Close()
	base := sqlite3.Xsqlite3_vfs_find(tls, 0)
	if base == 0 {
		return fmt.Errorf("SQLite has no file system")
	}
	name, err := libc.CString(VFS)
	if err != nil {
		return err
	}
	parameter, err := libc.CString(watchParameter)
	if err != nil {
		return err
	}
	p := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(layer{})))
	if p == 0 {
		return fmt.Errorf("there is no memory for SQLite's file system")
	}
	l := (*layer)(at(p))
	l.Tsqlite3_vfs = *(*sqlite3.Tsqlite3_vfs)(at(base))
	l.base, l.parameter = base, parameter
	l.FpNext = 0
	l.FzName = name
	l.FszOsFile += int32(unsafe.Sizeof(file{}))
	l.FxOpen = entry(open)
	if rc := sqlite3.Xsqlite3_vfs_register(tls, p, 0); rc != sqlite3.SQLITE_OK {
		return fmt.Errorf("cannot register a file system with SQLite: code %d", rc)
	}
	return nil
}

// file is what we keep of an open database or log, in SQLite's memory behind what its own file system keeps. The
// methods come first: SQLite's file points to them, and so we find the rest.
type file struct {
	methods sqlite3.Tsqlite3_io_methods
	base    uintptr // the methods of SQLite's own file system
	watcher int64
	log     bool
	unsure  unsure
	header  [frameHeader]byte
	before  [8]byte
}

// The methods that we call or take the place of, as the translated SQLite has them.
type (
	openMethod  = func(tls *libc.TLS, vfs, name, f uintptr, flags int32, out uintptr) int32
	closeMethod = func(tls *libc.TLS, f uintptr) int32
	moveMethod  = func(tls *libc.TLS, f, buf uintptr, n int32, offset int64) int32
)

// open lets SQLite open a file, and takes over reading and writing where that is a database or its log.
func open(tls *libc.TLS, vfs, name, f uintptr, flags int32, out uintptr) int32 {
	l := (*layer)(at(vfs))
	base := (*sqlite3.Tsqlite3_vfs)(at(l.base))
	if rc := method[openMethod](base.FxOpen)(tls, l.base, name, f, flags, out); rc != sqlite3.SQLITE_OK {
		return rc
	}
	if flags&(sqlite3.SQLITE_OPEN_MAIN_DB|sqlite3.SQLITE_OPEN_WAL) == 0 {
		return sqlite3.SQLITE_OK
	}
	p := f + uintptr(base.FszOsFile)
	t, methods := (*file)(at(p)), &(*sqlite3.Tsqlite3_file)(at(f)).FpMethods
	*t = file{base: *methods, log: flags&sqlite3.SQLITE_OPEN_WAL != 0, unsure: newUnsure()}
	t.watcher = sqlite3.Xsqlite3_uri_int64(tls, name, l.parameter, 0)
	t.methods = *t.own()
	t.methods.FiVersion = 2 // from the third on, pages are read from memory that is mapped
	t.methods.FxRead = entry(read)
	t.methods.FxWrite = entry(write)
	t.methods.FxDeviceCharacteristics = entry(characteristics)
	*methods = p
	return sqlite3.SQLITE_OK
}

func of(f uintptr) *file { return (*file)(at((*sqlite3.Tsqlite3_file)(at(f)).FpMethods)) }

func (t *file) own() *sqlite3.Tsqlite3_io_methods { return (*sqlite3.Tsqlite3_io_methods)(at(t.base)) }

// read reads as SQLite does and compares what is a whole page.
func read(tls *libc.TLS, f, buf uintptr, n int32, offset int64) int32 {
	t := of(f)
	rc := method[moveMethod](t.own().FxRead)(tls, f, buf, n, offset)
	switch {
	case !isPage(n):
		return rc
	case t.log && rc == sqlite3.SQLITE_OK:
		return t.readLog(tls, f, bytesAt(buf, n), offset)
	case t.log || rc != sqlite3.SQLITE_OK && rc != sqlite3.SQLITE_IOERR_SHORT_READ:
		return rc
	}
	if number := offset/int64(n) + 1; offset%int64(n) != 0 || !sealed(bytesAt(buf, n), uint32(number)) {
		return t.found(Fault{Page: number})
	}
	return sqlite3.SQLITE_OK
}

func (t *file) readLog(tls *libc.TLS, f uintptr, page []byte, offset int64) int32 {
	frame := offset - frameHeader
	if frame >= t.unsure.from {
		return sqlite3.SQLITE_OK
	}
	own := method[moveMethod](t.own().FxRead)
	n := int32(len(page))
	if rc := own(tls, f, address(&t.header), frameHeader, frame); rc != sqlite3.SQLITE_OK {
		return rc
	}
	if rc := own(tls, f, address(&t.before), int32(len(t.before)), before(frame, n)); rc != sqlite3.SQLITE_OK {
		return rc
	}
	if !frameHolds(t.before[:], t.header[:], page) {
		return t.found(Fault{Frame: (frame-logHeader)/(frameHeader+int64(n)) + 1})
	}
	return sqlite3.SQLITE_OK
}

// write puts the sum at the end of a page that goes into the database. A page of the log has its sum in the frame's header.
func write(tls *libc.TLS, f, buf uintptr, n int32, offset int64) int32 {
	t := of(f)
	if t.log {
		t.unsure.wrote(n, offset)
	} else if isPage(n) {
		page := bytesAt(buf, n)
		if offset == 0 && page[reserveAt] != reserve { // there is no room for sums
			return sqlite3.SQLITE_IOERR_WRITE
		}
		seal(page, uint32(offset/int64(n)+1))
	}
	return method[moveMethod](t.own().FxWrite)(tls, f, buf, n, offset)
}

// characteristics keeps SQLite from reading parts of pages past its cache and us.
func characteristics(tls *libc.TLS, f uintptr) int32 {
	return method[closeMethod](of(f).own().FxDeviceCharacteristics)(tls, f) &^ sqlite3.SQLITE_IOCAP_SUBPAGE_READ
}
