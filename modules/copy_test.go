package modules

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"plumb/modules/system"
)

const copyEnv = "PLUMB_TEST_IN_COPY"

// copyScript lays a writable layer over this machine, in namespaces of its own, and runs
// the rest of its arguments there. Nothing of it is left when the test ends.
const copyScript = `set -e
d=$1; shift
mount -t tmpfs none "$d"
mkdir "$d/upper" "$d/work" "$d/root"
mount -t overlay none -o "lowerdir=/,upperdir=$d/upper,workdir=$d/work" "$d/root"
mount -t proc none "$d/root/proc"
mount --rbind /dev "$d/root/dev"
mount -t tmpfs none "$d/root/run"
ip link set lo up 2>/dev/null || true
exec chroot "$d/root" "$@"`

// inCopy tells whether the test runs in a private, writable copy of this machine, where it
// may install packages and make users with the real tools. If it does not, the test is run
// anew in such a copy, and the caller returns.
func inCopy(t *testing.T, tools ...string) bool {
	t.Helper()
	if os.Getenv(copyEnv) != "" {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: it mounts an overlay in its own namespace")
	}
	for _, name := range append(tools, "unshare", "chroot") {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("needs %s: %v", name, err)
		}
	}
	if out, err := runInCopy(t, "/bin/true"); err != nil {
		t.Skipf("needs overlayfs: %v: %s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := runInCopy(t, self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=120s"); err != nil {
		t.Errorf("in a copy of this machine: %v\n%s", err, out)
	}
	return false
}

func runInCopy(t *testing.T, argv ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir := t.TempDir()
	args := append([]string{"--mount", "--net", "--pid", "--fork", "--propagation", "private", "sh", "-c", copyScript, "sh", dir}, argv...)
	cmd := exec.CommandContext(ctx, "unshare", args...)
	cmd.Env = append(os.Environ(), copyEnv+"=1", "TMPDIR=/tmp")
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// copyHost is the running host as seen from inside the copy.
func copyHost(t *testing.T) *system.System {
	t.Helper()
	return &system.System{Root: "/", State: t.TempDir()}
}
