package testenv_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"plumb/testenv"
)

// newWorld starts a world that ends with the test.
func newWorld(t *testing.T, hosts int) *testenv.World {
	t.Helper()
	world := testenv.NewWorld(needCache(t), worldName(t.Name()))
	if err := world.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := world.Boot(t.Context(), hosts); err != nil {
		t.Fatal(err)
	}
	return world
}

func mustExec(t *testing.T, h *testenv.Host, name string, args ...string) string {
	t.Helper()
	out, err := h.Exec(t.Context(), name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func host(t *testing.T, w *testenv.World, i int) *testenv.Host {
	t.Helper()
	h, err := w.Host(i)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHostsAreMachinesOfTheirOwn(t *testing.T) {
	world := newWorld(t, 3)
	machines := map[string]bool{}
	for i := range 3 {
		h := host(t, world, i+1)
		if got := mustExec(t, h, "hostname"); got != h.Name {
			t.Errorf("hostname = %q, want %q", got, h.Name)
		}
		if got := mustExec(t, h, "systemctl", "is-active", "ssh"); got != "active" {
			t.Errorf("ssh on %s is %q, want active", h.Name, got)
		}
		machines[mustExec(t, h, "cat", "/etc/machine-id")] = true
	}
	if len(machines) != 3 {
		t.Errorf("%d machine ids, want 3: %v", len(machines), machines)
	}
}

func TestServerReachesHostsOverSSH(t *testing.T) {
	world := newWorld(t, 1)
	cache, _ := testenv.DefaultCache()
	login := world.Server(t.Context(), "ssh", "-i", cache.Key(), "-o", "StrictHostKeyChecking=no",
		"-o", "UserKnownHostsFile=/dev/null", "root@"+host(t, world, 1).Address, "hostname")
	out, err := login.Output()
	if got := strings.TrimSpace(string(out)); err != nil || got != "h1" {
		t.Errorf("ssh hostname = %q, %v, want h1", got, err)
	}
}

func TestCutHidesAHostFromAllOthers(t *testing.T) {
	world := newWorld(t, 3)
	h1, h2, h3 := host(t, world, 1), host(t, world, 2), host(t, world, 3)
	ping := func(from, to *testenv.Host) bool {
		_, err := from.Exec(t.Context(), "ping", "-c1", "-W1", to.Address)
		return err == nil
	}
	if !ping(h1, h2) {
		t.Fatal("h1 does not reach h2 at the start")
	}
	if err := h1.Cut(t.Context()); err != nil {
		t.Fatal(err)
	}
	if ping(h1, h2) || ping(h2, h1) {
		t.Error("h1 still talks to h2 after a cut")
	}
	if !ping(h2, h3) {
		t.Error("h2 lost h3 when h1 was cut")
	}
	if err := h1.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !ping(h1, h2) {
		t.Error("h1 does not reach h2 after it healed")
	}
}

func TestRebootAndCrashKeepTheDisk(t *testing.T) {
	world := newWorld(t, 1)
	h1 := host(t, world, 1)
	boots := []string{mustExec(t, h1, "cat", "/proc/sys/kernel/random/boot_id")}
	mustExec(t, h1, "sh", "-c", "echo kept > /var/lib/kept")

	if err := h1.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	boots = append(boots, mustExec(t, h1, "cat", "/proc/sys/kernel/random/boot_id"))
	if err := h1.Crash(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := h1.Exec(t.Context(), "true"); err == nil {
		t.Error("a crashed host still runs commands")
	}
	if err := h1.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	boots = append(boots, mustExec(t, h1, "cat", "/proc/sys/kernel/random/boot_id"))

	if boots[0] == boots[1] || boots[1] == boots[2] || boots[0] == boots[2] {
		t.Errorf("boot ids %q, want three different ones", boots)
	}
	if got := mustExec(t, h1, "cat", "/var/lib/kept"); got != "kept" {
		t.Errorf("after a reboot and a crash the file holds %q, want kept", got)
	}
}

func TestFrozenHostAnswersNothing(t *testing.T) {
	world := newWorld(t, 1)
	h1 := host(t, world, 1)
	banner := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		return world.Server(ctx, "ssh-keyscan", "-T", "1", h1.Address).Run()
	}
	if err := banner(); err != nil {
		t.Fatalf("sshd does not answer at the start: %v", err)
	}
	if err := h1.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := banner(); err == nil {
		t.Error("sshd answers on a frozen host")
	}
	if err := h1.Thaw(); err != nil {
		t.Fatal(err)
	}
	if err := banner(); err != nil {
		t.Errorf("sshd does not answer after the thaw: %v", err)
	}
}

func TestListenIsSeenByHosts(t *testing.T) {
	world := newWorld(t, 1)
	listener, err := world.Listen(testenv.ServerAddress + ":9000")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		fmt.Fprintln(conn, "hello")
		conn.Close()
	}()
	got := mustExec(t, host(t, world, 1), "bash", "-c", "cat < /dev/tcp/server/9000")
	if got != "hello" {
		t.Errorf("the host read %q, want hello", got)
	}
}
