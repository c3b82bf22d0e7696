package system

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Aftermath asks needrestart, which knows interpreters, too. Where that is missing or fails, the
// memory of all processes is looked through for files that are gone. It also reads what packages note in
// /run/reboot-required, and compares the running kernel with the newest one.
func (a aptManager) Aftermath(ctx context.Context) (Aftermath, error) {
	found, err := a.needrestart(ctx)
	if err != nil {
		found.Services, err = staleUnits("/proc")
	}
	if err != nil {
		return found, fmt.Errorf("cannot tell what still uses replaced files: %w", err)
	}
	noted, err := a.rebootRequired()
	if err != nil {
		return found, err
	}
	found.Reboot = append(found.Reboot, noted...)
	if len(found.Reboot) == 0 {
		kernels, err := a.Kernels(ctx)
		if err != nil {
			return found, err
		}
		found.Reboot = append(found.Reboot, staleKernel(kernels)...)
	}
	return found, nil
}

// needrestart runs in batch mode, which asks nobody and restarts nothing.
func (a aptManager) needrestart(ctx context.Context) (Aftermath, error) {
	out, err := a.s.Run(ctx, Command{Argv: []string{"needrestart", "-b", "-r", "l"}, Env: map[string]string{"NEEDRESTART_MODE": "l"}, Timeout: aptQueryLimit})
	if err != nil {
		return Aftermath{}, err
	}
	found, ok := parseNeedrestart(string(out.Stdout))
	if !ok {
		return Aftermath{}, fmt.Errorf("needrestart failed (exit %d): %s", out.Code, out.LastWords())
	}
	return found, nil
}

// parseNeedrestart reads needrestart's batch mode:
//
//	NEEDRESTART-VER: 3.6
//	NEEDRESTART-KCUR: 6.1.0-55-amd64
//	NEEDRESTART-KEXP: 6.1.0-56-amd64
//	NEEDRESTART-KSTA: 3
//	NEEDRESTART-SVC: ssh.service
//
// KSTA is 2 for another build of the same release and 3 for another release. ok is false
// when it is no such text.
func parseNeedrestart(out string) (found Aftermath, ok bool) {
	fields := map[string]string{}
	for line := range strings.Lines(out) {
		field, value, is := strings.Cut(line, ": ")
		field, is2 := strings.CutPrefix(field, "NEEDRESTART-")
		if !is || !is2 {
			continue
		}
		word := printableWord([]byte(value))
		fields[field] = word
		if field == "SVC" && word != "" {
			found.Services = append(found.Services, word)
		}
	}
	switch fields["KSTA"] {
	case "2":
		found.Reboot = []string{fmt.Sprintf("the kernel %s was built anew", fields["KCUR"])}
	case "3":
		found.Reboot = []string{fmt.Sprintf("the kernel %s runs, %s is installed", fields["KCUR"], fields["KEXP"])}
	}
	slices.Sort(found.Services)
	found.Services = slices.Compact(found.Services)
	return found, fields["VER"] != ""
}

// rebootRequired reads the note that packages leave on a host that has to boot.
func (a aptManager) rebootRequired() ([]string, error) {
	const note = "/run/reboot-required"
	if there, err := a.s.Files().Exists(note); err != nil || !there {
		return nil, err
	}
	raw, err := a.s.Files().Read(note+".pkgs", 1<<20)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	packages := strings.Fields(string(raw))
	slices.Sort(packages)
	packages = slices.Compact(packages)
	if len(packages) == 0 {
		return []string{"a package asked for it"}, nil
	}
	return []string{printableWord([]byte("asked for by " + strings.Join(packages, ", ")))}, nil
}

// staleKernel says that a newer kernel of the running one's flavour is installed.
func staleKernel(kernels []Kernel) []string {
	at := slices.IndexFunc(kernels, func(k Kernel) bool { return k.Running })
	if at < 0 || kernels[at].Newest {
		return nil
	}
	_, flavour := splitRelease(kernels[at].Release)
	for _, k := range kernels {
		if _, of := splitRelease(k.Release); k.Newest && of == flavour {
			return []string{fmt.Sprintf("the kernel %s runs, %s is installed", kernels[at].Release, k.Release)}
		}
	}
	return nil
}

// staleUnits looks through the memory of all processes for programs and libraries that were
// replaced, and returns the services that the processes belong to.
func staleUnits(proc string) ([]string, error) {
	here, err := os.Readlink(proc + "/self/ns/pid")
	if err != nil {
		return nil, err
	}
	folders, err := filepath.Glob(proc + "/[0-9]*")
	if err != nil {
		return nil, err
	}
	var units []string
	for _, folder := range folders {
		// A process may end while we look, and one of a container is not ours to restart.
		if there, err := os.Readlink(folder + "/ns/pid"); err != nil || there != here {
			continue
		}
		unit := unitOf(folder)
		if unit == "" || slices.Contains(units, unit) {
			continue
		}
		if stale(folder) {
			units = append(units, unit)
		}
	}
	slices.Sort(units)
	return units, nil
}

func stale(folder string) bool {
	if program, err := os.Readlink(folder + "/exe"); err == nil && replaced(program) {
		return true
	}
	maps, err := os.Open(folder + "/maps")
	if err != nil {
		return false
	}
	defer maps.Close()
	return mapsReplaced(maps)
}

// mapsReplaced tells whether a process runs code of a file that is gone:
//
//	7f1c-7f2d r-xp 00001000 08:01 1234   /usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)
func mapsReplaced(r io.Reader) bool {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		at := strings.IndexByte(lines.Text(), '/')
		if at < 0 || !replaced(lines.Text()[at:]) {
			continue
		}
		if words := strings.Fields(lines.Text()[:at]); len(words) > 1 && strings.Contains(words[1], "x") {
			return true
		}
	}
	return false
}

// replaced tells whether a file of a package is gone from under a process. What lies elsewhere,
// such as in /tmp or /dev, is nobody's package.
func replaced(name string) bool {
	name, gone := strings.CutSuffix(name, " (deleted)")
	if !gone {
		return false
	}
	for _, folder := range []string{"/usr/", "/lib", "/bin/", "/sbin/"} {
		if strings.HasPrefix(name, folder) {
			return !strings.HasPrefix(name, "/usr/local/")
		}
	}
	return false
}

func unitOf(folder string) string {
	raw, err := os.ReadFile(folder + "/cgroup")
	if err != nil {
		return ""
	}
	return cgroupService(string(raw))
}

// cgroupService reads the service from "0::/system.slice/ssh.service". Sessions of users and the
// first process have none that could be restarted.
func cgroupService(cgroup string) string {
	for line := range strings.Lines(cgroup) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 || parts[0] != "0" && parts[1] != "name=systemd" {
			continue
		}
		if strings.HasPrefix(parts[2], "/user.slice/") || strings.HasPrefix(parts[2], "/machine.slice/") {
			return ""
		}
		for at := path.Clean("/" + parts[2]); at != "/"; at = path.Dir(at) {
			if strings.HasSuffix(at, ".service") {
				return printableWord([]byte(path.Base(at)))
			}
		}
	}
	return ""
}
