package testenv_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"plumb/policies"
	"plumb/policies/patch"
	"plumb/testenv"
)

// upgrades is a campaign of kills: a host takes 20 packages from version to version, and what does
// that is killed on the way.
type upgrades struct {
	ts      *testscript.TestScript
	s       *scene
	host    *testenv.Host
	chance  *rand.Rand
	version int // 1.VERSION is the newest of all packages
	good    int // 1.GOOD is what the host had at the end of the last round
	runs    int // of the agent, so that each has a name

	kills  map[string]int // by who was killed
	inside map[string]int // those of them that hit dpkg at work, by what it was at
	rounds map[string]int // by the phase that the round ended in
	peace  int            // runs without a kill that it took
}

// packagesToTorment is how many packages each round upgrades. Each of the second half needs one
// of the first half in just its own version.
const packagesToTorment = 20

// killsInRound is how often a round is killed at most.
const killsInRound = 10

// cmdTormentPatch kills. In each round 20 new versions come out, the agent begins to install
// them and is killed with -9 at random moments: with all that it started, alone, or only what it
// started. Then it runs in peace, and must come to an end without a person. N kills are made, or
// N2 in a long run.
func cmdTormentPatch(ts *testscript.TestScript, s *scene, args []string) error {
	if len(args) != 3 {
		return errors.New("usage: torment-patch N N2 HOST")
	}
	h, err := s.host(args[2])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[soakIndex()])
	if err != nil {
		return err
	}
	seed := uint64(time.Now().UnixNano())
	ts.Logf("torment-patch: seed %d", seed)
	u := &upgrades{ts: ts, s: s, host: h, chance: rand.New(rand.NewPCG(seed, 0)), kills: map[string]int{}, inside: map[string]int{}, rounds: map[string]int{}}
	if err := u.begin(); err != nil {
		return err
	}
	for u.killed() < n {
		if err := u.round(min(n-u.killed(), killsInRound)); err != nil {
			return fmt.Errorf("round %d, version 1.%d: %w", u.rounds["done"]+u.rounds["rolled_back"], u.version, err)
		}
		ts.Logf("torment-patch: %s version 1.%d: kills %v, of them in dpkg %v, rounds %v, runs in peace %d",
			time.Now().UTC().Format(time.TimeOnly), u.version, u.kills, u.inside, u.rounds, u.peace)
	}
	if len(u.inside) == 0 {
		return errors.New("no kill hit dpkg at work, so this showed nothing")
	}
	return nil
}

// soakIndex chooses between a short and a long campaign.
func soakIndex() int {
	if os.Getenv("PLUMB_SOAK") == "1" {
		return 1
	}
	return 0
}

func (u *upgrades) killed() int {
	sum := 0
	for _, n := range u.kills {
		sum += n
	}
	return sum
}

func packageToTorment(i int) string { return fmt.Sprintf("part%02d", i+1) }

// begin installs the first versions.
func (u *upgrades) begin() error {
	if err := u.publish(); err != nil {
		return err
	}
	if err := u.s.useApt(u.s.apt, "stable", []string{u.host.Name}); err != nil {
		return err
	}
	var names []string
	for i := range packagesToTorment {
		names = append(names, packageToTorment(i))
	}
	if err := u.s.aptInstall(u.host.Name, names); err != nil {
		return err
	}
	u.good = u.version
	if _, err := u.host.Exec(context.Background(), "mkdir", "-p", "/root/policy"); err != nil {
		return err
	}
	return u.host.Write("/root/policy/main.hcl", strings.NewReader(u.ts.ReadFile("policy/main.hcl")), 0o644)
}

// publish brings out the next version of all packages. What the host has stays, to go back to.
func (u *upgrades) publish() error {
	r, err := u.s.serveApt()
	if err != nil {
		return err
	}
	u.version++
	for old := max(1, u.version-5); old < u.good; old++ {
		debs, _ := filepath.Glob(filepath.Join(r.Served(), "pool", "stable", fmt.Sprintf("*_1.%d_all.deb", old)))
		for _, deb := range debs {
			if err := os.Remove(deb); err != nil {
				return err
			}
		}
	}
	var list []testenv.AptPackage
	for i := range packagesToTorment {
		p := testenv.AptPackage{Name: packageToTorment(i), Version: fmt.Sprintf("1.%d", u.version), Postinst: "sleep 0.1"}
		if half := packagesToTorment / 2; i >= half {
			p.Depends = fmt.Sprintf("%s (= %s)", packageToTorment(i-half), p.Version)
		}
		list = append(list, p)
	}
	return r.Publish(context.Background(), "stable", list...)
}

// order writes the patch set with the newest versions.
func (u *upgrades) order() error {
	set := patch.Set{Rollout: "patches", Baseline: "test"}
	for i := range packagesToTorment {
		name := packageToTorment(i)
		set.Items = append(set.Items, patch.Item{Manager: "apt", Package: name, Source: name, Arch: "all",
			Version: fmt.Sprintf("1.%d", u.version), Repository: "Test/Test-stable/stable"})
	}
	raw, err := json.Marshal(set)
	if err != nil {
		return err
	}
	return u.host.Write("/root/set.json", bytes.NewReader(raw), 0o644)
}

// round takes all packages to the next version, through so many kills.
func (u *upgrades) round(kills int) error {
	if err := u.publish(); err != nil {
		return err
	}
	if err := u.s.aptUpdate([]string{u.host.Name}); err != nil {
		return err
	}
	if err := u.order(); err != nil {
		return err
	}
	for goal := u.killed() + kills; u.killed() < goal; {
		over, err := u.interrupt()
		if err != nil {
			return err
		}
		if over {
			break
		}
	}
	return u.settle()
}

// apply is the agent's run, as a service of its own so that all it starts can be found.
func (u *upgrades) apply() (unit string, run func() ([]byte, error), err error) {
	u.runs++
	unit = fmt.Sprintf("patcher%d.service", u.runs)
	cmd, err := u.host.Command(context.Background(), "systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--property=KillMode=process",
		"--unit="+unit, "plumb-agent", "apply", "/root/policy", "--patch-set", "/root/set.json", "--json")
	if err != nil {
		return "", nil, err
	}
	return unit, cmd.Output, nil
}

// slay is a script that stops all of a service, says what of it is at work, and kills.
// In $3 it is told to wait first for dpkg to be at work, and in $4 for how many seconds then.
const slay = `for i in $(seq 100); do systemctl is-active -q "$1" && break; sleep 0.02; done
if [ $3 = dpkg ]; then
	until pgrep -f 'dpkg.* --(unpack|configure)' >/dev/null; do
		systemctl is-active -q "$1" || exit 0
		sleep 0.02
	done
fi
sleep $4
cd /sys/fs/cgroup/system.slice/"$1" 2>/dev/null && echo 1 >cgroup.freeze || exit 0
for p in $(cat cgroup.procs); do
	tr '\0' ' ' </proc/$p/cmdline; echo
	case $2$(cat /proc/$p/comm) in
	agentplumb-agent) kill -9 $p;;
	agent*|all*|othersplumb-agent) ;;
	others*) kill -9 $p;;
	esac
done
[ $2 != all ] || echo 1 >cgroup.kill
echo 0 >cgroup.freeze || true`

// interrupt lets the agent begin and kills. It is over when the agent came to its end before.
func (u *upgrades) interrupt() (over bool, err error) {
	unit, run, err := u.apply()
	if err != nil {
		return false, err
	}
	ended := make(chan struct{})
	go func() {
		_, _ = run()
		close(ended)
	}()
	victim := []string{"all", "all", "all", "agent", "others"}[u.chance.IntN(5)]
	from, longest := "start", longestStart
	if u.chance.IntN(2) == 0 {
		from, longest = "dpkg", longestInstall
	}
	after := fmt.Sprintf("%.3f", float64(u.chance.IntN(longest))/1000)
	hit, err := u.host.Exec(context.Background(), "sh", "-c", slay, "slay", unit, victim, from, after)
	if err != nil {
		return false, err
	}
	<-ended
	if !strings.Contains(hit, "plumb-agent") { // it had come to its end, whatever that was
		return true, u.present()
	}
	u.kills[victim]++
	if what := working(hit); what != "" {
		u.inside[what]++
	}
	return false, u.present()
}

// Kills come at most so long after the agent began, or after it began to install, in milliseconds.
const (
	longestStart   = 3000
	longestInstall = 1500
)

// working names what dpkg was at, from the command lines of all that ran: a maintainer script,
// unpacking or configuring. It is empty where dpkg changed nothing then.
func working(hit string) string {
	for _, name := range []string{"postinst", "--unpack", "--configure"} {
		if strings.Contains(hit, name) {
			return strings.TrimLeft(name, "-")
		}
	}
	return ""
}

// versions are those of all packages, with dpkg's status of each.
func (u *upgrades) versions() ([]string, error) {
	out, err := u.host.Exec(context.Background(), "dpkg-query", "-W", "-f", "${Version} ${db:Status-Status}\n", "part*")
	return strings.Split(strings.TrimSpace(out), "\n"), err
}

// present holds that no package is gone, however the kill left it.
func (u *upgrades) present() error {
	list, err := u.versions()
	if err != nil {
		return err
	}
	for _, one := range list {
		if strings.Contains(one, "not-installed") || strings.Contains(one, "config-files") {
			return fmt.Errorf("a package is gone after a kill: %q", list)
		}
	}
	return nil
}

// settle lets the agent run in peace, until it says that it is done.
func (u *upgrades) settle() error {
	var said []byte
	var phase string
	err := await(4*u.s.patience, func() error {
		_, run, err := u.apply()
		if err != nil {
			return err
		}
		u.peace++
		said, err = run()
		if phase = phaseIn(said); phase == policies.PhaseDone || phase == policies.PhaseRolledBack || phase == policies.PhaseIdle {
			return nil
		}
		return errors.Join(fmt.Errorf("the agent came to the phase %q", phase), err)
	})
	if err != nil {
		return fmt.Errorf("%w:\n%s", err, said)
	}
	u.rounds[phase]++
	if phase == policies.PhaseRolledBack {
		u.ts.Logf("torment-patch: went back:\n%s", said)
	}
	return errors.Join(u.whole(phase), u.present())
}

// phaseIn reads how far patching is from what `plumb-agent apply --json` printed.
func phaseIn(said []byte) string {
	var result policies.Result
	if err := json.Unmarshal(said, &result); err != nil {
		return ""
	}
	for _, one := range result.Resources {
		if one.Patched != nil {
			return one.Patched.Phase
		}
	}
	return ""
}

// whole holds that all packages have one version, the new one or after a rollback the one before,
// and that neither dpkg nor apt has anything to complain about.
func (u *upgrades) whole(phase string) error {
	if phase != policies.PhaseRolledBack {
		u.good = u.version
	}
	list, err := u.versions()
	if err != nil {
		return err
	}
	want := fmt.Sprintf("1.%d installed", u.good)
	if len(list) != packagesToTorment || slices.ContainsFunc(list, func(one string) bool { return one != want }) {
		return fmt.Errorf("the agent says %s, and the packages are %q, not all %q", phase, list, want)
	}
	if audit, err := u.host.Exec(context.Background(), "dpkg", "--audit"); err != nil || audit != "" {
		return fmt.Errorf("dpkg is not whole: %s %w", audit, err)
	}
	_, err = u.host.Exec(context.Background(), "apt-get", "check")
	return err
}
