package testenv

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Host is one machine of a world. It has its own disk, on top of the base system.
type Host struct {
	// Name is h1, h2 and so on; Address its IPv4 address.
	Name    string
	Address string

	world   *World
	flavour Flavour
	number  int
	dir     string // disk and console
	power   *power
}

func newHost(w *World, flavour Flavour, number int) *Host {
	name := "h" + strconv.Itoa(number)
	return &Host{
		Name:    name,
		Address: "10.77.0." + strconv.Itoa(10+number),
		world:   w,
		flavour: flavour,
		number:  number,
		dir:     filepath.Join(os.Getenv(disksVariable), w.name+"-"+name),
	}
}

func (h *Host) netns() string { return h.world.name + "-" + h.Name }
func (h *Host) port() string  { return h.world.name + "p" + strconv.Itoa(h.number) }
func (h *Host) root() string  { return filepath.Join(h.dir, "root") }

func (h *Host) cgroup() cgroup {
	run := filepath.Base(os.Getenv(disksVariable))
	return cgroup(filepath.Join(cgroupTop(), "plumb-"+run+"-"+h.netns()))
}

// install makes the disk and plugs in the network cable.
func (h *Host) install(ctx context.Context) error {
	root, server := h.root(), h.world.serverNet()
	hosts := fmt.Sprintf("127.0.0.1 localhost\n127.0.1.1 %s\n%s server repo\n", h.Name, ServerAddress)
	return runAll(ctx,
		"mkdir -p "+h.dir+"/root "+h.dir+"/upper "+h.dir+"/work",
		fmt.Sprintf("mount -t overlay overlay -o lowerdir=%s,upperdir=%s/upper,workdir=%s/work %s", h.world.cache.below(h.flavour), h.dir, h.dir, root),
		"echo "+h.Name+" > "+root+"/etc/hostname",
		"printf %s "+quoteShell(hosts)+" > "+root+"/etc/hosts",
		// A service that does not want to stop holds a reboot up for this long, by default 90 s.
		"mkdir -p "+root+"/etc/systemd/system.conf.d",
		"printf '[Manager]\\nDefaultTimeoutStopSec=10s\\n' > "+root+"/etc/systemd/system.conf.d/testenv.conf",
		"ssh-keygen -q -t ed25519 -N '' -C "+h.Name+" -f "+root+"/etc/ssh/ssh_host_ed25519_key",
		"ip netns add "+h.netns(),
		"ip -n "+server+" link add "+h.port()+" type veth peer name host0 netns "+h.netns(),
		"ip -n "+server+" link set "+h.port()+" master br0 up",
		"ip -n "+h.netns()+" link set lo up",
		"ip -n "+h.netns()+" addr add "+h.Address+"/24 dev host0",
		"ip -n "+h.netns()+" link set host0 up",
		"ip -n "+h.netns()+" route add default via "+ServerAddress,
	)
}

func (h *Host) remove(ctx context.Context) error {
	return runAll(ctx, "ip netns del "+h.netns(), "umount -l "+h.root(), "rm -rf "+h.dir)
}

// Exec runs a command on the host as its root, without SSH, and returns what it wrote to
// standard output. The error carries what it wrote to standard error.
func (h *Host) Exec(ctx context.Context, name string, args ...string) (string, error) {
	cmd, err := h.Command(ctx, name, args...)
	if err != nil {
		return "", err
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("cannot run %s on %s: %w: %s", name, h.Name, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out), nil
}

// Command returns a command that is to run on the host as its root. When ctx ends, only the way in is
// closed; the command itself lives on, as after a lost connection.
func (h *Host) Command(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	pid, err := h.cgroup().init()
	if err != nil {
		return nil, fmt.Errorf("cannot run %s on %s: %w", name, h.Name, err)
	}
	enter := []string{"--target", strconv.Itoa(pid), "--all", "--wd=/", name}
	cmd := exec.CommandContext(ctx, "nsenter", append(enter, args...)...)
	cmd.WaitDelay = time.Second // what was started may keep the pipes open
	cmd.Env = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "USER=root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
	}
	return cmd, nil
}

// Copy puts a file of this machine on the host's disk, at once or not at all. The host may be off.
func (h *Host) Copy(from, to string, mode os.FileMode) error {
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("cannot copy to %s: %w", h.Name, err)
	}
	defer source.Close()
	return h.Write(to, source, mode)
}

// Write puts what it reads into a file on the host's disk, at once or not at all. Its folder must
// be there, and not on a file system that the host mounts itself, as /run and /tmp are.
func (h *Host) Write(to string, content io.Reader, mode os.FileMode) error {
	root, err := os.OpenRoot(h.root()) // links on the host must not lead out of it
	if err != nil {
		return fmt.Errorf("cannot write to %s: %w", h.Name, err)
	}
	defer root.Close()
	to = strings.TrimPrefix(filepath.Clean(to), "/")
	half := to + ".half"
	file, err := root.OpenFile(half, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return fmt.Errorf("cannot write to %s: %w", h.Name, err)
	}
	defer file.Close()
	if _, err := io.Copy(file, content); err != nil {
		return fmt.Errorf("cannot write %s on %s: %w", to, h.Name, err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("cannot write %s on %s: %w", to, h.Name, err)
	}
	return root.Rename(half, to)
}
