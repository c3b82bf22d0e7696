package state

import (
	"encoding/json"
	"testing"
)

// Whatever bit of a sealed file turns, the file is found damaged or says what it said.
func TestSealFindsEveryBit(t *testing.T) {
	type content struct {
		Release uint64 `json:"release"`
		Text    string `json:"text"`
	}
	want := content{42, "as it was"}
	body, err := json.MarshalIndent(want, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	sealed := Seal(append(body, '\n'))
	found := 0
	for bit := range len(sealed) * 8 {
		raw := append([]byte{}, sealed...)
		raw[bit/8] ^= 1 << (bit % 8)
		var got content
		body, err := Unseal(raw)
		if err != nil || json.Unmarshal(body, &got) != nil {
			found++
			continue
		}
		if got != want {
			t.Errorf("with bit %d turned %q is read as %+v", bit, raw, got)
		}
	}
	if _, err := Unseal(sealed); err != nil || found < len(body)*8 {
		t.Errorf("Unseal of what is whole = %v; %d of %d turned bits were found", err, found, len(sealed)*8)
	}
	for _, raw := range []string{"[]\n", "{}\n", "{\n}"} {
		if got := Seal([]byte(raw)); string(got) != raw {
			t.Errorf("Seal(%q) = %q", raw, got)
		}
	}
}
