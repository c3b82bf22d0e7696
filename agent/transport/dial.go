package transport

import (
	"errors"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// deadTime is how long a connection lives of which the other end is gone.
const deadTime = 50 * time.Second // with the kernel's grain it is no more than a minute

// newDialer has the kernel give up such a connection, whether it is idle or waits for an
// acknowledgement.
func newDialer() *net.Dialer {
	return &net.Dialer{
		Timeout:         dialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: deadTime / 4, Interval: deadTime / 4, Count: 3},
		Control: func(_, _ string, raw syscall.RawConn) error {
			var failed error
			err := raw.Control(func(fd uintptr) {
				failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deadTime/time.Millisecond))
			})
			return errors.Join(err, failed)
		},
	}
}
