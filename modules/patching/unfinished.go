package patching

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"plumb/inventory"
)

// Unfinished returns how the host patches in each rollout of which a cycle was begun and has not
// ended, as the policy said when it went on last. One that waits for a reboot is among them. A journal that cannot be read says nothing here, for nobody
// knows of which rollout it is; the machine of that rollout deals with it.
func Unfinished(state string) []Spec {
	var list []Spec
	folder := shelfOf(state, "").dir
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil // nothing was ever begun
	}
	seen := map[string]bool{}
	for _, e := range entries {
		rollout, ok := owner(filepath.Join(folder, e.Name()))
		if !ok || seen[rollout] {
			continue
		}
		seen[rollout] = true
		if j, err := shelfOf(state, rollout).load(); err == nil && j.Spec != nil && !j.Stage.ended() {
			list = append(list, *j.Spec)
		}
	}
	return list
}

// owner returns the rollout of a copy of a journal.
func owner(path string) (rollout string, ok bool) {
	id := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".json"), ".copy")
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", false
	}
	var s sealed
	var j journal
	if json.Unmarshal(raw, &s) != nil || json.Unmarshal(s.Body, &j) != nil {
		return "", false
	}
	return j.Rollout, inventory.Digest([]byte(j.Rollout))[:16] == id
}
