// Package pagesum keeps a sum of each page of an SQLite database and compares it whenever a page is read, by a layer over SQLite's own
// file system. A database has to be sealed before it is opened through that layer, and nobody else may write to it: what is
// written without sums counts as damaged.
package pagesum

import (
	"encoding/binary"
	"hash/crc32"
)

// The format of a database (https://sqlite.org/fileformat2.html#the_database_header): how many bytes SQLite leaves alone at the end
// of each page stands in the header.
const (
	magic      = "SQLite format 3\x00"
	headerSize = 100
	reserveAt  = 20
	reserve    = 8
	leastPage  = 512
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is two sums of all but the reserved end of a page and of its number, so that a page in another's place is noticed.
// CRC-32C finds up to three bits that turned in 4 KiB, wherever they are; both together are for what is worse.
func sum(page []byte, number uint32) uint64 {
	body := page[:len(page)-reserve]
	return uint64(crc32.Update(number, castagnoli, body))<<32 | uint64(crc32.Update(number, crc32.IEEETable, body))
}

func seal(page []byte, number uint32) {
	binary.BigEndian.PutUint64(page[len(page)-reserve:], sum(page, number))
}

func sealed(page []byte, number uint32) bool {
	return binary.BigEndian.Uint64(page[len(page)-reserve:]) == sum(page, number)
}

// isPage tells whether so many bytes are a page. Less is a part of the header, and what is no power of two is a page of the log with
// its frame's header.
func isPage(n int32) bool { return n >= leastPage && n&(n-1) == 0 }
