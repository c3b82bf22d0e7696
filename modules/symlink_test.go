package modules

import (
	"context"
	"strings"
	"testing"
)

func symlinkSamples() map[string]sample {
	return map[string]sample{
		"missing":        {attributes: `{"path": "/l", "target": "/nowhere"}`},
		"elsewhere":      {attributes: `{"path": "/l", "target": "b"}`, files: map[string]string{"l": "-> a"}},
		"all fine":       {attributes: `{"path": "/l", "target": "a"}`, files: map[string]string{"l": "-> a"}, fine: true},
		"file, forced":   {attributes: `{"path": "/l", "target": "a", "force": true}`, files: map[string]string{"l": "x"}},
		"folder, forced": {attributes: `{"path": "/l", "target": "a", "force": true}`, files: map[string]string{"l/x/y": "x"}},
		"absent":         {attributes: `{"path": "/l", "state": "absent"}`, files: map[string]string{"l": "-> a"}},
		"absent already": {attributes: `{"path": "/l", "state": "absent"}`, fine: true},
	}
}

func symlinkMistakes() map[string]wrong {
	return map[string]wrong{
		"relative":   {`{"path": "l", "target": "a"}`, "path"},
		"no target":  {`{"path": "/l"}`, "target"},
		"to itself":  {`{"path": "/l", "target": "/l"}`, "target"},
		"two lines":  {`{"path": "/l", "target": "a\nb"}`, "target"},
		"state":      {`{"path": "/l", "target": "a", "state": "on"}`, "state"},
		"root as it": {`{"path": "/", "target": "a"}`, "path"},
	}
}

func TestSymlinkLeavesFilesAlone(t *testing.T) {
	for _, attributes := range []string{`{"path": "/f", "target": "a"}`, `{"path": "/f", "state": "absent"}`} {
		sys, root := sample{files: map[string]string{"f": "precious"}}.build(t)
		r := sample{attributes: attributes}.resource(t, symlinkKind(), root)
		if _, err := r.Check(context.Background(), sys); err == nil || !strings.Contains(err.Error(), "set force") {
			t.Errorf("Check(%s) = %v, want an error that names force", attributes, err)
		}
	}
}
