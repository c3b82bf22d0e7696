package pagesum

import (
	"encoding/binary"
	"math"
)

// The write-ahead log (https://sqlite.org/fileformat2.html#the_write_ahead_log). Its frames have sums, which SQLite looks
// at only when it recovers: each goes on from the one before, so two headers and a page are enough to look again.
const (
	logHeader   = 32
	logSumAt    = 24
	frameHeader = 24
	frameSumAt  = 16
)

// unsure is where those frames of the log begin whose sums are not written yet: a transaction that is larger than the cache writes
// pages twice, and SQLite sums up anew when it commits. Nobody but the connection that writes reads them.
type unsure struct {
	from   int64
	header int64 // of the frame whose page comes next
}

const (
	allSure   = math.MaxInt64
	noneComes = -1
)

func newUnsure() unsure { return unsure{from: allSure, header: noneComes} }

// wrote notes what SQLite wrote to the log.
func (u *unsure) wrote(n int32, offset int64) {
	switch {
	case n == frameHeader:
		u.header = offset
		if offset <= u.from {
			u.from = allSure
		}
	case isPage(n):
		if frame := offset - frameHeader; frame != u.header {
			u.from = min(u.from, frame)
		}
		u.header = noneComes
	}
}

// before returns where the sum stands that the one of a frame goes on from.
func before(frame int64, page int32) int64 {
	if frame == logHeader {
		return logSumAt
	}
	return frame - int64(page) - frameHeader + frameSumAt
}

// frameHolds tells whether a page is the one that its frame's header and the sum before it speak of.
func frameHolds(sumBefore, header, page []byte) bool {
	want := [2]uint32{binary.BigEndian.Uint32(header[frameSumAt:]), binary.BigEndian.Uint32(header[frameSumAt+4:])}
	s0, s1 := binary.BigEndian.Uint32(sumBefore), binary.BigEndian.Uint32(sumBefore[4:])
	return littleSum(littleSum([2]uint32{s0, s1}, header[:8]), page) == want ||
		bigSum(bigSum([2]uint32{s0, s1}, header[:8]), page) == want // from a machine of the other kind
}

// LogSum goes on with the sum of a log, which is counted in the byte order that the log's header names.
func LogSum(order binary.ByteOrder, s [2]uint32, raw []byte) [2]uint32 {
	if order.Uint16([]byte{0, 1}) == 1 {
		return bigSum(s, raw)
	}
	return littleSum(s, raw)
}

// littleSum and bigSum are two, because an order that is not known when this is compiled makes it several times slower.
func littleSum(s [2]uint32, raw []byte) [2]uint32 {
	s0, s1 := s[0], s[1]
	for ; len(raw) >= 8; raw = raw[8:] {
		s0 += binary.LittleEndian.Uint32(raw) + s1
		s1 += binary.LittleEndian.Uint32(raw[4:]) + s0
	}
	return [2]uint32{s0, s1}
}

func bigSum(s [2]uint32, raw []byte) [2]uint32 {
	s0, s1 := s[0], s[1]
	for ; len(raw) >= 8; raw = raw[8:] {
		s0 += binary.BigEndian.Uint32(raw) + s1
		s1 += binary.BigEndian.Uint32(raw[4:]) + s0
	}
	return [2]uint32{s0, s1}
}
