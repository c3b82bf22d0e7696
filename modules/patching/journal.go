package patching

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"plumb/inventory"
	"plumb/modules/system"
	"plumb/policies"
)

// stage is where a host stands. What it is about to do stands in the journal before it is done.
type stage string

const (
	stageIdle    stage = ""        // nothing was begun
	stageBegun   stage = "begun"   // hooks run, no package was touched
	stageAbandon stage = "abandon" // what the hooks did is taken back, no package was touched
	stageInstall stage = "install"
	stageRestart stage = "restart"
	stageReboot  stage = "reboot" // drained, and asks for the reboot
	stageVerify  stage = "verify"
	stageRest    stage = "rest" // in service, and waits until a reboot is permitted
	stageFinish  stage = "finish"
	stageBack    stage = "back"   // the versions before are brought back
	stageSettle  stage = "settle" // they are back, and units and probes are looked at
	stageGiveUp  stage = "giveup" // nothing can be brought back, the host is put into service
	stageDone    stage = "done"
	stageGone    stage = "rolled_back"
	stageFailed  stage = "failed"
)

// resting tells the stages in which a host may stay for as long as it takes.
func (s stage) resting() bool {
	switch s {
	case stageIdle, stageRest, stageDone, stageGone, stageFailed:
		return true
	}
	return false
}

// ended tells the stages that nothing of a cycle comes after.
func (s stage) ended() bool { return s.resting() && s != stageRest }

// move is what becomes of one package. Before is empty for one that was not there.
type move struct {
	Name   string `json:"name"`
	Arch   string `json:"arch"`
	Before string `json:"before,omitempty"`
	After  string `json:"after"`
}

// blocked is what cannot be installed for now. It is looked at again when the package lists or
// the package database changed, or another set came.
type blocked struct {
	Key       string                    `json:"key,omitempty"`
	Set       string                    `json:"set,omitempty"`
	Targets   []system.Target           `json:"targets,omitempty"`
	Held      []policies.Held           `json:"held,omitempty"`
	Left      []policies.PatchedPackage `json:"left,omitempty"`
	Conffiles []policies.Conffile       `json:"conffiles,omitempty"`
}

// journal is all that a machine knows of what it did.
type journal struct {
	Seq     uint64 `json:"seq"`
	Rollout string `json:"rollout"`
	Cycle   uint64 `json:"cycle"`
	Set     string `json:"set"`
	Stage   stage  `json:"stage"`
	// Spec is how the host was told to patch when it went on last: what was begun is brought to its
	// end when the policy says nothing of the rollout any more. A cycle that has ended has none.
	Spec *Spec `json:"spec,omitempty"`
	// Asked is true when a person asked for the way back.
	Asked bool `json:"asked,omitempty"`
	// Lost is true when an earlier journal could not be read, so that nobody knows the way back.
	Lost bool `json:"lost,omitempty"`
	// Starts counts how often the cycle was begun without coming to an installation.
	Starts int `json:"starts,omitempty"`

	// Steps are installed one by one. Step is the one at hand, Tries how often it was begun.
	Steps [][]system.Target `json:"steps,omitempty"`
	Step  int               `json:"step,omitempty"`
	Tries int               `json:"tries,omitempty"`
	// Moves are the packages of Steps with the versions before; Earlier those of what the
	// same cycle had brought already.
	Moves   []move `json:"moves,omitempty"`
	Earlier []move `json:"earlier,omitempty"`

	// FailedBefore are the units that had failed, Kernel the newest kernel, before.
	FailedBefore []string `json:"failed_before,omitempty"`
	Kernel       string   `json:"kernel,omitempty"`
	// Drained is true from before the drain hook until after the undrain hook.
	Drained bool `json:"drained,omitempty"`
	// Snapshot is begun or taken.
	Snapshot string `json:"snapshot,omitempty"`

	// Boot is the boot in which the packages came in; another one means that the host rebooted.
	Boot      string   `json:"boot,omitempty"`
	Rebooted  bool     `json:"rebooted,omitempty"`
	RebootDue []string `json:"reboot_due,omitempty"`
	// Waits says why the rest of the steps has to wait.
	Waits string `json:"waits,omitempty"`

	// Failure says what failed, and FailedIn in which phase.
	Failure  string `json:"failure,omitempty"`
	FailedIn string `json:"failed_in,omitempty"`

	// The rest is for the report.
	Restarted []string            `json:"restarted,omitempty"`
	Stale     []string            `json:"stale,omitempty"`
	Reboot    []string            `json:"reboot,omitempty"`
	Probes    []string            `json:"probes,omitempty"`
	Rollback  string              `json:"rollback,omitempty"`
	Removed   []string            `json:"removed,omitempty"`
	Conffiles []policies.Conffile `json:"conffiles,omitempty"`
	Notes     []string            `json:"notes,omitempty"`
	Blocked   blocked             `json:"blocked,omitzero"`
}

// sealed is a journal as it lies on the disk. A sum tells damage.
type sealed struct {
	Sum  string          `json:"sum"`
	Body json.RawMessage `json:"body"`
}

func seal(j journal) ([]byte, error) {
	body, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the journal: %w", err)
	}
	return json.Marshal(sealed{Sum: inventory.Digest(body), Body: body})
}

var errDamaged = errors.New("the journal is damaged")

// unseal reads a journal of the rollout.
func unseal(raw []byte, rollout string) (journal, error) {
	var s sealed
	if err := json.Unmarshal(raw, &s); err != nil || inventory.Digest(s.Body) != s.Sum {
		return journal{}, errDamaged
	}
	var j journal
	dec := json.NewDecoder(bytes.NewReader(s.Body))
	if err := dec.Decode(&j); err != nil || j.Rollout != rollout || j.Step < 0 || j.Step > len(j.Steps) {
		return journal{}, errDamaged
	}
	return j, nil
}

// shelf is where the journal of one rollout lies: twice, so that one damaged copy loses nothing.
type shelf struct {
	dir, rollout string
	spec         *Spec // goes into the journal
	// put writes a file in one instant; tests cut it off.
	put func(path string, raw []byte) error
}

func shelfOf(state, rollout string) shelf {
	return shelf{dir: filepath.Join(state, "patching"), rollout: rollout, put: putFile}
}

func (s shelf) copies() []string {
	name := filepath.Join(s.dir, inventory.Digest([]byte(s.rollout))[:16])
	return []string{name + ".json", name + ".copy.json"}
}

// load returns the newest copy that can be read. When there are copies and none can be read,
// the journal is one that finishes what may have been begun, and says so.
func (s shelf) load() (journal, error) {
	best, found, damaged := journal{Rollout: s.rollout}, false, 0
	for _, path := range s.copies() {
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return journal{}, fmt.Errorf("cannot read the journal of patching: %w", err)
		}
		j, err := unseal(raw, s.rollout)
		switch {
		case err != nil:
			damaged++
		case !found || j.Seq > best.Seq:
			best, found = j, true
		}
	}
	if !found && damaged > 0 {
		return s.lost(), nil
	}
	return best, nil
}

// lost stands in for a journal that nobody can read. It is not known whether a run was under
// way, so the host is taken for drained and its packages for half done; there is no way back.
func (s shelf) lost() journal {
	return journal{Rollout: s.rollout, Stage: stageRestart, Drained: true, Lost: true,
		Notes: []string{"the journal of patching was damaged: what was begun is finished, and the versions before it are not known any more"}}
}

// save writes both copies. What is damaged is kept for people.
func (s shelf) save(j *journal) error {
	j.Seq++
	if j.Spec = s.spec; j.Stage.ended() {
		j.Spec = nil
	}
	raw, err := seal(*j)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder of the journal of patching: %w", err)
	}
	for _, path := range s.copies() {
		s.keepDamaged(path)
		if err := s.put(path, raw); err != nil {
			return fmt.Errorf("cannot write the journal of patching: %w", err)
		}
	}
	return nil
}

func (s shelf) keepDamaged(path string) {
	old, err := os.ReadFile(path)
	if err != nil {
		return
	}
	if _, err := unseal(old, s.rollout); err != nil {
		_ = os.WriteFile(path+".damaged", old, 0o600) // only for people
	}
}
