package state

import (
	"encoding/json"
	"errors"
	"fmt"

	"plumb/agent/trust"
	"plumb/inventory"
)

// The floors are kept twice, for the damage of one copy must not open the way back.
var floorFiles = [2]string{"floors.a", "floors.b"}

// ErrNoFloors means that both copies of the floors are gone or damaged.
var ErrNoFloors = errors.New("both copies of the floors are missing or damaged")

// floorCopy is one of the two files. Sum is the digest of Floors as it stands in the file.
type floorCopy struct {
	Generation uint64          `json:"generation"`
	Sum        string          `json:"sum"`
	Floors     json.RawMessage `json:"floors"`
}

// Floors returns the newest valid copy and heals the other one from it.
func (d *Dir) Floors() (trust.Floors, error) {
	newest, raw, healthy := uint64(0), []byte(nil), 0
	for _, name := range floorFiles {
		one, ok := d.floorCopy(name)
		if !ok {
			continue
		}
		if raw == nil || one.Generation != newest {
			healthy = 0
		}
		healthy++
		if one.Generation >= newest {
			newest, raw = one.Generation, one.Floors
		}
	}
	var f trust.Floors
	if raw == nil || json.Unmarshal(raw, &f) != nil {
		return trust.Floors{}, fmt.Errorf("cannot tell which releases are too old: %w", ErrNoFloors)
	}
	if healthy < len(floorFiles) {
		return f, d.writeFloors(f, newest)
	}
	return f, nil
}

// SaveFloors writes both copies, one after the other. They never go down: what is lower in
// f than on the disk is kept as it is on the disk.
func (d *Dir) SaveFloors(f trust.Floors) error {
	var generation uint64
	for _, name := range floorFiles {
		one, ok := d.floorCopy(name)
		var old trust.Floors
		if !ok || json.Unmarshal(one.Floors, &old) != nil {
			continue
		}
		generation = max(generation, one.Generation)
		f = f.Above(old)
	}
	return d.writeFloors(f, generation+1)
}

func (d *Dir) floorCopy(name string) (floorCopy, bool) {
	var one floorCopy
	ok, err := d.Load(name, &one)
	if err != nil || !ok {
		return floorCopy{}, false
	}
	return one, one.Sum == floorSum(one.Generation, one.Floors)
}

func (d *Dir) writeFloors(f trust.Floors, generation uint64) error {
	raw, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("cannot encode the floors: %w", err)
	}
	body, err := json.Marshal(floorCopy{Generation: generation, Sum: floorSum(generation, raw), Floors: raw})
	if err != nil {
		return fmt.Errorf("cannot encode the floors: %w", err)
	}
	for _, name := range floorFiles {
		if err := WriteFile(d.file(name), append(body, '\n')); err != nil {
			return err
		}
	}
	return nil
}

func floorSum(generation uint64, raw []byte) string {
	return inventory.Digest(fmt.Appendf(nil, "%d %s", generation, raw))
}
