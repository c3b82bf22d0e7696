package rollout

import (
	"fmt"
	"strconv"
	"strings"
)

// ID says which rollout is meant: "7" is that of release 7, "security/3" the third patch cycle of
// the rollout security and "security" its newest one.
type ID struct {
	// Rollout is empty for a release.
	Rollout string
	// Number is that of the release or the cycle; 0 stands for the newest.
	Number uint64
}

// ParseID reads an ID. The word newest stands for the newest release.
func ParseID(text string) (ID, error) {
	name, number, cycle := strings.Cut(text, "/")
	if !cycle {
		if text == "newest" {
			return ID{}, nil
		}
		if n, err := strconv.ParseUint(text, 10, 63); err == nil && n > 0 {
			return ID{Number: n}, nil
		}
		number = "newest"
	}
	id := ID{Rollout: name}
	if number != "newest" {
		n, err := strconv.ParseUint(number, 10, 63)
		if id.Number = n; err != nil || n == 0 {
			return ID{}, fmt.Errorf("%q is neither the number of a release nor a cycle such as security/3", text)
		}
	}
	if name == "" || strings.ContainsRune("-0123456789", rune(name[0])) {
		return ID{}, fmt.Errorf("%q is neither the number of a release nor a cycle such as security/3", text)
	}
	return id, nil
}

// String is the short form.
func (id ID) String() string {
	switch {
	case id.Rollout == "" && id.Number == 0:
		return "newest"
	case id.Rollout == "":
		return fmt.Sprint(id.Number)
	case id.Number == 0:
		return id.Rollout
	}
	return fmt.Sprintf("%s/%d", id.Rollout, id.Number)
}

// ID names the release or the cycle.
func (s State) ID() ID { return ID{Rollout: s.Rollout, Number: s.Release} }
