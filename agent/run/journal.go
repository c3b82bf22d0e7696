package run

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"plumb/agent/state"
	"plumb/policies"
)

// Journal remembers on the disk what a run has begun, so that a run after a kill still
// delivers a notification and still reports a repair. Each line is synced before the thing
// that it announces is done. A line that a kill tore has no effect: nothing was done for it.
type Journal struct {
	path string
	file *os.File
	run  time.Time
	// loose means that it was not rewritten: the disk may still know one of before.
	loose bool

	pending map[string][]string // target → who notifies it, in the order of the changes
	repairs map[string]Repair   // address → a change that no report has told yet
}

// Repair is a change that was begun.
type Repair struct {
	// Run is when the run started that began it.
	Run time.Time `json:"run"`
	// Changes and Cause are what its report would have said.
	Changes []policies.Change `json:"changes"`
	Cause   policies.Cause    `json:"cause"`
}

// entry is one line: a change was begun, turned out to be none, was wholly told, or a
// notification was delivered.
type entry struct {
	Begin  string   `json:"begin,omitempty"`
	Undo   string   `json:"undo,omitempty"`
	Done   string   `json:"done,omitempty"`
	Notify []string `json:"notify,omitempty"`
	Repair *Repair  `json:"repair,omitempty"`
}

// OpenJournal reads what earlier runs left. Repairs of a run that started at or before
// reported are in the spool already and are forgotten.
func OpenJournal(dir string, reported time.Time) (*Journal, error) {
	j := &Journal{path: filepath.Join(dir, "journal"), pending: map[string][]string{}, repairs: map[string]Repair{}}
	raw, err := os.ReadFile(j.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the journal: %w", err)
	}
	j.replay(raw)
	for address, r := range j.repairs {
		if !r.Run.After(reported) {
			delete(j.repairs, address)
		}
	}
	return j, j.compact()
}

func (j *Journal) replay(raw []byte) {
	lines := bufio.NewScanner(bytes.NewReader(raw))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e entry
		if sum, body, ok := bytes.Cut(lines.Bytes(), []byte(" ")); ok && string(sum) == checksum(body) && json.Unmarshal(body, &e) == nil {
			j.take(e)
		}
	}
}

func checksum(body []byte) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE(body)) }

func (j *Journal) take(e entry) {
	for _, target := range e.Notify {
		if e.Begin != "" && !slices.Contains(j.pending[target], e.Begin) {
			j.pending[target] = append(j.pending[target], e.Begin)
		}
	}
	switch {
	case e.Begin != "" && e.Repair != nil:
		j.repairs[e.Begin] = *e.Repair
	case e.Undo != "":
		delete(j.repairs, e.Undo)
		j.withdraw(e.Undo)
	case e.Done != "":
		delete(j.pending, e.Done)
	}
}

func (j *Journal) withdraw(notifier string) {
	for target, from := range j.pending {
		from = slices.DeleteFunc(from, func(s string) bool { return s == notifier })
		if j.pending[target] = from; len(from) == 0 {
			delete(j.pending, target)
		}
	}
}

// waits tells whether a notification from this resource is still to be delivered.
func (j *Journal) waits(notifier string) bool {
	for _, from := range j.pending {
		if slices.Contains(from, notifier) {
			return true
		}
	}
	return false
}

// compact rewrites the journal with only what is still open.
func (j *Journal) compact() error {
	var out bytes.Buffer
	for target, from := range j.pending {
		for _, notifier := range from {
			out.Write(line(entry{Begin: notifier, Notify: []string{target}}))
		}
	}
	for address, r := range j.repairs {
		out.Write(line(entry{Begin: address, Repair: &r}))
	}
	if err := j.Close(); err != nil {
		return err
	}
	if j.loose = state.Says(j.path, out.Bytes()); !j.loose {
		if err := state.WriteFile(j.path, out.Bytes()); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("cannot open the journal: %w", err)
	}
	j.file = f
	return nil
}

func line(e entry) []byte {
	body, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and times always encode
	}
	return fmt.Appendf(nil, "%s %s\n", checksum(body), body)
}

func (j *Journal) write(e entry) error {
	j.take(e)
	if j.loose { // the first line that is to stay needs the file below its name
		if err := state.SyncDir(filepath.Dir(j.path)); err != nil {
			return err
		}
		j.loose = false
	}
	if _, err := j.file.Write(line(e)); err != nil {
		return fmt.Errorf("cannot write the journal: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("cannot sync the journal: %w", err)
	}
	return nil
}

// begin is called before a change is made.
func (j *Journal) begin(address string, notify []string, changes []policies.Change, why policies.Cause) error {
	return j.write(entry{Begin: address, Notify: notify, Repair: &Repair{Run: j.run, Changes: changes, Cause: why}})
}

// undo is called when a change that was begun turned out to have changed nothing.
func (j *Journal) undo(address string) error { return j.write(entry{Undo: address}) }

// delivered is called when a target was refreshed, or is no longer wanted.
func (j *Journal) delivered(target string) error { return j.write(entry{Done: target}) }

// Concerned lists the addresses of which something is open: a repair to be told, or a notification.
func (j *Journal) Concerned() []string {
	return slices.AppendSeq(slices.Collect(maps.Keys(j.repairs)), maps.Keys(j.pending))
}

// Told means that there is no repair which a report has yet to tell.
func (j *Journal) Told() bool { return len(j.repairs) == 0 }

// Reported forgets the repairs: a report that is safe in the spool tells them. Notifications
// that wait stay.
func (j *Journal) Reported() error {
	clear(j.repairs)
	return j.compact()
}

// Close closes the file; everything in it is synced already.
func (j *Journal) Close() error {
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}
