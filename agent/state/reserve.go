package state

import (
	"os"

	"golang.org/x/sys/unix"
)

// The agent holds some room back, so that on a full disk it can still say that the disk is full. It
// takes it only where much more stays free.
const (
	reserveFile  = "reserve"
	reserveBytes = 16 << 20
	reserveLeave = 50 << 20
)

// HoldBack takes the reserve, unless it is held or the disk has too little room. That it cannot be
// taken is no error: it is for bad days only.
func (d *Dir) HoldBack() {
	if info, err := os.Stat(d.file(reserveFile)); err == nil && info.Size() == reserveBytes {
		return
	}
	var fs unix.Statfs_t
	if unix.Statfs(d.Path, &fs) != nil || fs.Bavail*uint64(fs.Bsize) < reserveBytes+reserveLeave {
		return
	}
	f, err := os.OpenFile(d.file(reserveFile), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	if unix.Fallocate(int(f.Fd()), 0, 0, reserveBytes) != nil {
		os.Remove(d.file(reserveFile))
	}
}

// GiveUp frees the reserve and tells whether there was one.
func (d *Dir) GiveUp() bool { return os.Remove(d.file(reserveFile)) == nil }
