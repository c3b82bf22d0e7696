package testenv

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// ServerAddress is the server side's address on the network of every world.
const ServerAddress = "10.77.0.1"

//go:embed scripts/cut.nft
var cutRules string

// World is one network with a server side and hosts. Worlds do not see each other.
type World struct {
	cache Cache
	name  string
	hosts []*Host
}

// NewWorld returns an empty world; name is short, letters and digits, and not used twice.
func NewWorld(cache Cache, name string) *World { return &World{cache: cache, name: name} }

// Start lays the network: the bridge of the server side, with no host on it yet.
func (w *World) Start(ctx context.Context) error {
	if !Inside() {
		return fmt.Errorf("cannot start a world outside of its namespaces: call Enter first")
	}
	server := w.serverNet()
	return runAll(ctx,
		"ip netns add "+server,
		"ip -n "+server+" link set lo up",
		"ip -n "+server+" link add br0 type bridge",
		"ip -n "+server+" addr add "+ServerAddress+"/24 dev br0",
		"ip -n "+server+" link set br0 up",
		"ip netns exec "+server+" nft "+quoteShell(cutRules),
	)
}

// Boot adds n Debian hosts, h1 first, powers them on together, and returns when all are up.
func (w *World) Boot(ctx context.Context, n int) error {
	return w.BootFlavours(ctx, slices.Repeat([]Flavour{Debian}, n)...)
}

// BootFlavours adds a host of each flavour, in this order, as Boot does.
func (w *World) BootFlavours(ctx context.Context, flavours ...Flavour) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, flavour := range flavours {
		host := newHost(w, flavour, len(w.hosts)+1)
		w.hosts = append(w.hosts, host)
		group.Go(func() error {
			if err := host.install(ctx); err != nil {
				return err
			}
			return host.Boot(ctx)
		})
	}
	return group.Wait()
}

// Host returns h1 for 1, or an error that says how many there are.
func (w *World) Host(i int) (*Host, error) {
	if i < 1 || i > len(w.hosts) {
		return nil, fmt.Errorf("there is no host h%d; this world has %d", i, len(w.hosts))
	}
	return w.hosts[i-1], nil
}

// Server returns a command that is to run on the server side: same files as this program,
// other network.
func (w *World) Server(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--net=/run/netns/" + w.serverNet(), name}, args...)...)
}

// ServerNet is the path of the server side's network namespace.
func (w *World) ServerNet() string { return filepath.Join("/run/netns", w.serverNet()) }

// Listen opens a port on the server side for a service in this program.
func (w *World) Listen(address string) (net.Listener, error) {
	type answer struct {
		net.Listener
		error
	}
	done := make(chan answer)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends here, for it is on another network
		listener, err := w.listenHere(address)
		done <- answer{listener, err}
	}()
	result := <-done
	return result.Listener, result.error
}

func (w *World) listenHere(address string) (net.Listener, error) {
	netns, err := os.Open(w.ServerNet())
	if err != nil {
		return nil, fmt.Errorf("cannot find the server's network: %w", err)
	}
	defer netns.Close()
	if err := unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("cannot join the server's network: %w", err)
	}
	return net.Listen("tcp", address)
}

// Close cuts the power of all hosts and removes their disks and the network.
func (w *World) Close(ctx context.Context) error {
	var failed []error
	for _, host := range w.hosts {
		failed = append(failed, host.Crash(ctx), host.remove(ctx))
	}
	failed = append(failed, runAll(ctx, "ip netns del "+w.serverNet()))
	return errors.Join(failed...)
}

func (w *World) serverNet() string { return w.name + "-server" }

// runAll runs shell commands in turn, up to the first that fails.
func runAll(ctx context.Context, commands ...string) error {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "sh", "-ec", strings.Join(commands, "\n"))
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot run %q: %w: %s", commands[0], err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}

func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
