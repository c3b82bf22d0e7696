package store

import (
	"encoding/binary"
	"io"
	"os"
)

// The index of the log begins with what was committed, twice (https://sqlite.org/walformat.html#the_wal_index_header), in the byte order of
// the machine but for the salts.
const (
	indexHeader  = 48
	indexFrames  = 16
	indexSalts   = 32
	indexSums    = 40
	indexVersion = 3007000
)

// walIndex is how many frames of which log were committed. SQLite writes it when they are on the disk, so that it never tells of more;
// and it stays where a server was killed.
type walIndex struct {
	frames int
	salts  [8]byte
}

// readIndex returns nothing for an index that is not there, or was being written: then the log has to speak for itself.
func readIndex(path string) walIndex {
	f, err := os.Open(path)
	if err != nil {
		return walIndex{}
	}
	defer f.Close()
	raw := make([]byte, 2*indexHeader)
	if _, err := io.ReadFull(f, raw); err != nil {
		return walIndex{}
	}
	return parseIndex(raw)
}

func parseIndex(raw []byte) walIndex {
	order := binary.NativeEndian
	if [indexHeader]byte(raw) != [indexHeader]byte(raw[indexHeader:]) || order.Uint32(raw) != indexVersion {
		return walIndex{}
	}
	l := walLog{order: order}
	l.add(raw[:indexSums])
	if [2]uint32{order.Uint32(raw[indexSums:]), order.Uint32(raw[indexSums+4:])} != l.sum {
		return walIndex{}
	}
	return walIndex{frames: int(order.Uint32(raw[indexFrames:])), salts: [8]byte(raw[indexSalts:])}
}
