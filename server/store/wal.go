package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"plumb/server/store/pagesum"
)

// The write-ahead log of SQLite (https://sqlite.org/fileformat2.html#the_write_ahead_log): a header and frames, each with a
// page. All of one generation have the salts of the header.
const (
	walHeader   = 32
	frameHeader = 24
	walMagic    = 0x377f0682 // the last bit tells how its sums count
	maxPage     = 65536
)

// committedBehind is how many transactions must follow on a broken frame that the disk is to blame for it.
const committedBehind = 2

// checkLog tells whether something broke in the log of an SQLite database. SQLite itself goes back to what was
// committed before that, without a word, and writes over the rest. It has to, at the end of the log, where a
// power cut tears what nobody was promised yet; but a commit is on the disk before the next one begins, so what is broken and has
// commits behind it was whole once, and so was what the log's index has.
func checkLog(database string) error {
	path := database + "-wal"
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := readLog(bufio.NewReaderSize(f, 1<<20), readIndex(database+"-shm")); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func readLog(r io.Reader, index walIndex) error {
	l, err := readLogHeader(r)
	if err != nil || l == nil {
		return err
	}
	frame := make([]byte, frameHeader+l.page)
	broken, behind, whole := false, 0, 0
	for n := 1; ; n++ {
		if _, err := io.ReadFull(r, frame); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return l.lacks(index, whole)
		} else if err != nil {
			return err
		}
		broken = broken || !l.holds(frame)
		switch commits := binary.BigEndian.Uint32(frame[4:]) != 0; {
		case commits && !broken:
			whole = n
		case commits && l.ours(frame):
			behind++
		}
		if behind > committedBehind {
			return fmt.Errorf("%w: its log is broken in the middle, before frame %d", ErrDamaged, n)
		}
	}
}

// walLog is how far a log was read.
type walLog struct {
	page  int
	order binary.ByteOrder
	salts [8]byte
	sum   [2]uint32
}

// readLogHeader returns nil for a log that nothing was written to.
func readLogHeader(r io.Reader) (*walLog, error) {
	raw := make([]byte, walHeader)
	if _, err := io.ReadFull(r, raw); err != nil || [walHeader]byte(raw) == [walHeader]byte{} {
		return nil, nil //nolint:nilerr // shorter than a header, as a crash may leave it
	}
	l := &walLog{page: int(binary.BigEndian.Uint32(raw[8:])), order: binary.LittleEndian, salts: [8]byte(raw[16:24])}
	magic := binary.BigEndian.Uint32(raw)
	if magic&1 != 0 {
		l.order = binary.BigEndian
	}
	l.add(raw[:24])
	if magic&^1 != walMagic || l.page < 512 || l.page > maxPage || l.page%8 != 0 || !l.sums(raw[24:]) {
		return nil, fmt.Errorf("%w: the header of its log is broken", ErrDamaged)
	}
	return l, nil
}

// holds tells whether the next frame is as it was written.
func (l *walLog) holds(frame []byte) bool {
	l.add(frame[:8])
	l.add(frame[frameHeader:])
	return l.ours(frame) && binary.BigEndian.Uint32(frame) != 0 && l.sums(frame[16:])
}

// lacks tells whether fewer frames are whole than were committed.
func (l *walLog) lacks(index walIndex, whole int) error {
	if index.salts == l.salts && index.frames > whole {
		return fmt.Errorf("%w: its log is broken behind frame %d, and had %d", ErrDamaged, whole, index.frames)
	}
	return nil
}

// ours tells whether a frame is of this generation.
func (l *walLog) ours(frame []byte) bool { return [8]byte(frame[8:16]) == l.salts }

func (l *walLog) sums(at []byte) bool {
	return [2]uint32{binary.BigEndian.Uint32(at), binary.BigEndian.Uint32(at[4:])} == l.sum
}

func (l *walLog) add(raw []byte) { l.sum = pagesum.LogSum(l.order, l.sum, raw) }
