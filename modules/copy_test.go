package modules

import (
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
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

// bootScript boots systemd on such a copy, with an own cgroup, and runs the rest of its
// arguments as the one service of it. Its exit code is the container's.
const bootScript = `set -e
d=$1; cg=$2; program=$3; shift 3
mount -t tmpfs none "$d"
mkdir "$d/upper" "$d/work" "$d/root"
mount -t overlay none -o "lowerdir=/,upperdir=$d/upper,workdir=$d/work" "$d/root"
r=$d/root
rm -rf "$r"/etc/systemd/system/*.wants "$r/etc/fstab"
: > "$r/etc/machine-id"
cat > "$r/etc/systemd/system/probe.service" <<U
[Unit]
DefaultDependencies=no
Requires=sysinit.target
After=sysinit.target
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
Environment=PLUMB_TEST_IN_COPY=1
ExecStart=/probe $*
StandardOutput=file:/probe.out
StandardError=inherit
U
cp "$program" "$r/probe" # /tmp of a booted host is its own
mkdir "$cg"; echo $$ > "$cg/cgroup.procs"
case $cg in */unified/*) umount -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup;; esac
mkdir -p /run/systemd/nspawn; mount -t tmpfs none /run/systemd/nspawn
rc=0
systemd-nspawn --quiet --boot --machine=probe --directory="$r" --register=no --keep-unit --private-network \
  --private-users=no --resolv-conf=off --timezone=off --link-journal=no --console=pipe -- systemd.unit=probe.service \
  </dev/null >"$d/console" 2>&1 || rc=$?
cat "$r/probe.out" 2>/dev/null || tail -20 "$d/console"
exit $rc`

// inBootedCopy is inCopy in a copy in which systemd runs.
func inBootedCopy(t *testing.T) bool {
	t.Helper()
	if os.Getenv(copyEnv) != "" {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root: it boots a container")
	}
	if _, err := exec.LookPath("systemd-nspawn"); err != nil {
		t.Skipf("needs systemd-nspawn: %v", err)
	}
	t.Parallel()
	if out, err := runBooted(t, "/bin/true"); err != nil {
		t.Skipf("needs a machine that can boot a container: %v: %s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := runBooted(t, self, "-test.run=^"+t.Name()+"$$", "-test.v", "-test.timeout=120s"); err != nil {
		t.Errorf("in a booted copy of this machine: %v\n%s", err, out)
	}
	return false
}

func runBooted(t *testing.T, argv ...string) (string, error) {
	t.Helper()
	cgroups := "/sys/fs/cgroup/unified"
	if _, err := os.Stat(cgroups); err != nil {
		cgroups = "/sys/fs/cgroup"
	}
	cgroup := filepath.Join(cgroups, "plumb-test-"+rand.Text()[:8])
	defer removeCgroup(cgroup)
	args := append([]string{"--mount", "--propagation", "private", "sh", "-c", bootScript, "sh", t.TempDir(), cgroup}, argv...)
	return run(t, "unshare", args)
}

// removeCgroup removes a group and those below it, the deepest first.
func removeCgroup(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			removeCgroup(filepath.Join(dir, e.Name()))
		}
	}
	_ = os.Remove(dir)
}

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
	t.Parallel()
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
	return run(t, "unshare", append([]string{"--mount", "--net", "--pid", "--fork", "--propagation", "private",
		"sh", "-c", copyScript, "sh", t.TempDir()}, argv...))
}

func run(t *testing.T, name string, args []string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
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
