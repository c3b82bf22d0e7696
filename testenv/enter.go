package testenv

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

//go:embed scripts/inside.sh
var insideScript string

// disksVariable tells a program that it is inside, and where the disks of hosts are.
const disksVariable = "PLUMB_TESTENV_DISKS"

// Inside reports whether this program runs where worlds can start.
func Inside() bool { return os.Getenv(disksVariable) != "" }

// Enter runs this very program again, with the same arguments, in new network, mount, process,
// IPC and UTS namespaces, and returns its exit code. Hosts, mounts and networks that it makes in
// there end with it, however it ends. There is no way out to any network from inside.
// Only empty cgroups and an empty folder remain; Enter takes them away, or the next one does.
func Enter(cache Cache, env ...string) (int, error) {
	disks, err := claimDisks(cache)
	if err != nil {
		return 1, err
	}
	defer dropDisks(disks)

	self, err := os.Executable()
	if err != nil {
		return 1, fmt.Errorf("cannot find this program: %w", err)
	}
	cmd := exec.Command("sh", append([]string{"-c", insideScript, "inside.sh", self}, os.Args[1:]...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(append(os.Environ(), env...), disksVariable+"="+disks.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	runtime.LockOSThread() // the signal comes when the thread that started the child ends
	defer runtime.UnlockOSThread()
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 1, fmt.Errorf("cannot enter new namespaces: %w", err)
	}
	return 0, nil
}
