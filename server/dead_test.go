package server_test

import (
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// accepted returns the options of a connection that this program accepted on a port.
func accepted(t *testing.T, port int) (userTimeout, keepIdle int) {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range open {
		fd, _ := strconv.Atoi(one.Name())
		if _, err := unix.Getpeername(fd); err != nil {
			continue // it listens, or is no socket at all
		}
		name, err := unix.Getsockname(fd)
		if at, ok := name.(*unix.SockaddrInet4); err != nil || !ok || at.Port != port {
			continue
		}
		userTimeout, _ = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
		keepIdle, _ = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
		return userTimeout, keepIdle
	}
	return 0, 0
}

// F20: the kernel ends a connection whose other end is gone, at each port.
func TestDeadConnectionsAreGivenUp(t *testing.T) {
	r := start(t)
	for name, address := range map[string]string{"people": r.at.People, "agents": r.at.Agents, "ssh": r.at.SSH} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		port := conn.RemoteAddr().(*net.TCPAddr).Port
		timeout, idle := accepted(t, port)
		for end := time.Now().Add(5 * time.Second); (timeout != 50_000 || idle != 13) && time.Now().Before(end); {
			timeout, idle = accepted(t, port) // it takes a moment from the port to the server
		}
		if timeout != 50_000 || idle != 13 {
			t.Errorf("%s: given up after %d ms, asked after %d s; want 50000 and 13", name, timeout, idle)
		}
	}
}
