package ports

import (
	"net"
	"testing"
)

func TestFree(t *testing.T) {
	list, err := Free(20)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range list {
		ln, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err) // taken, or named twice
		}
		defer ln.Close()
		if port := ln.Addr().(*net.TCPAddr).Port; port < first || port >= beyond {
			t.Errorf("%s is among the ports that the kernel gives away", address)
		}
	}
}
