package system

import (
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// Tell writes a value into a file of the kernel below /proc or /sys, which cannot be
// replaced as other files are. The file must be there.
func (f Files) Tell(name, value string) error {
	if !strings.HasPrefix(name, "/proc/") && !strings.HasPrefix(name, "/sys/") {
		return fmt.Errorf("cannot write %s in place: it is no file of the kernel", name)
	}
	s, err := f.find(name, false)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	defer s.close()
	if err := s.tell(value); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return nil
}

func (s *spot) tell(value string) error {
	if s.target < 0 {
		return fs.ErrNotExist
	}
	if s.st.Mode&unix.S_IFMT != unix.S_IFREG {
		return ErrNotFile
	}
	fd, err := unix.Open(descriptor(s.target), unix.O_WRONLY|unix.O_TRUNC|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return writeAll(fd, []byte(value))
}
