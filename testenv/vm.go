package testenv

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

//go:embed scripts/vm.sh
var vmScript []byte

// VMAddress is the address of the virtual machine of a world.
const VMAddress = "10.77.0.50"

// VM is a whole machine with a kernel of its own, emulated and slow: about half a minute to boot.
// There is one in a world, for what hosts that share the kernel of this machine cannot show.
type VM struct {
	world *World
	dir   string
	cmd   *exec.Cmd
}

// vmTools are the programs that a VM takes, each with the Debian package that brings it.
func vmTools() map[string]string {
	return map[string]string{"qemu-system-x86_64": "qemu-system-x86", "qemu-img": "qemu-utils", "extlinux": "extlinux", "mke2fs": "e2fsprogs"}
}

// VM is the folder of the virtual machine: its disk as it was made, and a newer kernel.
func (c Cache) VM() string {
	sum := sha256.Sum256(append(append([]byte{}, baseScript...), vmScript...))
	return filepath.Join(string(c), fmt.Sprintf("vm-%x", sum[:6]))
}

// NewerKernel lists the Debian packages of a kernel newer than the one that the VM boots.
func (c Cache) NewerKernel() ([]string, error) {
	return filepath.Glob(filepath.Join(c.VM(), "newer", "*.deb"))
}

// MissingVM says why no VM can start here, or nothing when one can.
func MissingVM(c Cache) string {
	if why := Missing(c); why != "" {
		return why
	}
	for tool := range vmTools() {
		if _, err := exec.LookPath(tool); err != nil {
			return "needs " + tool + ": run `go run ./testenv/cmd/world prepare-vm`"
		}
	}
	if _, err := os.Stat(c.VM()); err != nil {
		return fmt.Sprintf("needs the machine %s: run `go run ./testenv/cmd/world prepare-vm`", c.VM())
	}
	return ""
}

// PrepareVM makes this machine ready for a VM, once, after Prepare: two minutes, 600 MB.
func PrepareVM(ctx context.Context, cache Cache, out io.Writer) error {
	if err := run(ctx, out, "apt-get", "update", "-qq"); err != nil {
		return err
	}
	packages := []string{"install", "-y", "-qq", "--no-install-recommends", "seabios"}
	for _, name := range vmTools() {
		packages = append(packages, name)
	}
	if err := run(ctx, out, "apt-get", packages...); err != nil {
		return err
	}
	if _, err := os.Stat(cache.VM()); err == nil {
		return nil
	}
	fmt.Fprintf(out, "building the machine %s, about a minute\n", cache.VM())
	unfinished, err := os.MkdirTemp(string(cache), "unfinished-")
	if err != nil {
		return fmt.Errorf("cannot build a virtual machine: %w", err)
	}
	defer os.RemoveAll(unfinished)
	script, dir := filepath.Join(unfinished, "vm.sh"), filepath.Join(unfinished, "vm")
	if err := os.WriteFile(script, vmScript, 0o755); err != nil {
		return fmt.Errorf("cannot build a virtual machine: %w", err)
	}
	if err := run(ctx, out, "sh", script, cache.Base(), dir); err != nil {
		return err
	}
	return os.Rename(dir, cache.VM())
}

// BootVM starts the world's virtual machine in dir and returns when it lets people in.
func (w *World) BootVM(ctx context.Context, dir string) (*VM, error) {
	vm := &VM{world: w, dir: dir}
	server := w.serverNet()
	err := runAll(ctx,
		"ip netns exec "+server+" ip tuntap add vm1 mode tap",
		"ip -n "+server+" link set vm1 master br0 up",
		fmt.Sprintf("qemu-img create -q -f qcow2 -F raw -b %s/disk.img %s/disk.qcow2", w.cache.VM(), dir),
	)
	if err != nil {
		return nil, err
	}
	console, err := os.Create(filepath.Join(dir, "vm.log"))
	if err != nil {
		return nil, fmt.Errorf("cannot keep the console of the VM: %w", err)
	}
	defer console.Close()
	vm.cmd = w.Server(ctx, "qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi,tb-size=256", "-cpu", "max",
		"-smp", "2", "-m", "768", "-display", "none", "-serial", "stdio", "-monitor", "none",
		"-drive", "file="+filepath.Join(dir, "disk.qcow2")+",if=none,id=d,cache=unsafe", "-device", "virtio-blk-pci,drive=d",
		"-netdev", "tap,id=n,ifname=vm1,script=no,downscript=no", "-device", "virtio-net-pci,netdev=n,romfile=",
		"-device", "virtio-rng-pci")
	vm.cmd.Stdout, vm.cmd.Stderr = console, console
	if err := vm.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start the VM: %w", err)
	}
	return vm, vm.waitUp(ctx)
}

// vmBootTime is how long an emulated machine may take to boot on a machine that is busy.
const vmBootTime = 4 * time.Minute

func (vm *VM) waitUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, vmBootTime)
	defer cancel()
	for {
		if vm.Command(ctx, "true").Run() == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(vm.dir, "vm.log"))
			return fmt.Errorf("the VM did not come up; the end of its console:\n%s", log[max(0, len(log)-2000):])
		case <-time.After(time.Second):
		}
	}
}

// Command returns a shell command that is to run on the VM as its root.
func (vm *VM) Command(ctx context.Context, shell string) *exec.Cmd {
	return vm.world.Server(ctx, "ssh", "-q", "-i", vm.world.cache.Key(), "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
		"-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=5", "root@"+VMAddress, shell)
}

// Write puts what it reads into a file on the VM.
func (vm *VM) Write(ctx context.Context, to string, content io.Reader, mode os.FileMode) error {
	cmd := vm.Command(ctx, fmt.Sprintf("cat >%s && chmod %o %s", quoteShell(to), mode, quoteShell(to)))
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = content, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot write %s on the VM: %w: %s", to, err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

// Close cuts its power.
func (vm *VM) Close() error {
	if err := vm.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("cannot end the VM: %w", err)
	}
	_ = vm.cmd.Wait() // it ends with the signal
	return nil
}
