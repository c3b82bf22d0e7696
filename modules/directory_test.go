package modules

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumb/modules/system"
)

func directorySamples() map[string]sample {
	tree := map[string]string{"d/a": "", "d/sub/b": "", "d/sub/l": "-> /keep", "keep/f": ""}
	return map[string]sample{
		"missing":           {attributes: `{"path": "/d", "mode": "2750"}`},
		"missing parents":   {attributes: `{"path": "/a/b/c", "parents": true}`},
		"other mode":        {attributes: `{"path": "/d", "mode": "0700"}`, files: tree},
		"other owner":       {attributes: `{"path": "/d", "owner": "65534", "recurse": true}`, host: rootHost(tree)},
		"all fine":          {attributes: `{"path": "/d", "mode": "0755"}`, files: tree, fine: true},
		"through a link":    {attributes: `{"path": "/l", "mode": "0700"}`, files: map[string]string{"l": "-> d", "d": "dir"}},
		"recurse":           {attributes: `{"path": "/d", "recurse": true, "file_mode": "0600", "dir_mode": "0700"}`, files: tree},
		"recurse, fine":     {attributes: `{"path": "/d", "recurse": true, "file_mode": "0644"}`, files: tree, fine: true},
		"recurse, ignored":  {attributes: `{"path": "/d", "recurse": true, "file_mode": "0600", "ignore": ["a", "sub/*"]}`, files: tree, fine: true},
		"purge":             {attributes: `{"path": "/d", "purge": true}`, files: tree},
		"purge, ignored":    {attributes: `{"path": "/d", "purge": true, "ignore": ["a", "sub"]}`, files: tree, fine: true},
		"purge and recurse": {attributes: `{"path": "/d", "purge": true, "recurse": true, "file_mode": "0600"}`, host: purgeHost},
		"absent, empty":     {attributes: `{"path": "/d", "state": "absent"}`, files: map[string]string{"d": "dir"}},
		"absent, forced":    {attributes: `{"path": "/d", "state": "absent", "force": true}`, files: tree},
		"absent already":    {attributes: `{"path": "/d", "state": "absent"}`, fine: true},
		"file, forced":      {attributes: `{"path": "/d", "force": true}`, files: map[string]string{"d": "x"}},
		"purge, no catalog": {attributes: `{"path": "/d", "purge": true}`, host: noCatalog, wantErr: ErrUnknown},
	}
}

func purgeHost(t *testing.T) *system.System {
	root := placeFiles(t, map[string]string{"d/kept": "", "d/extra": "", "d/sub/kept": "", "d/sub/extra": "", "d/gone/x": "", "d/own/x": ""})
	return &system.System{Root: root, Managed: map[string]bool{"/d": true, "/d/kept": true, "/d/sub/kept": true, "/d/own": true}}
}

func noCatalog(t *testing.T) *system.System {
	return &system.System{Root: placeFiles(t, map[string]string{"d/x": ""})}
}

func directoryMistakes() map[string]wrong {
	return map[string]wrong{
		"relative":            {`{"path": "d"}`, "path"},
		"purge the root":      {`{"path": "/", "purge": true}`, "path"},
		"state":               {`{"path": "/d", "state": "gone"}`, "state"},
		"mode":                {`{"path": "/d", "mode": "9"}`, "mode"},
		"file mode":           {`{"path": "/d", "recurse": true, "file_mode": "x"}`, "file_mode"},
		"no recurse":          {`{"path": "/d", "dir_mode": "0755"}`, "dir_mode"},
		"pattern":             {`{"path": "/d", "ignore": ["["]}`, "ignore"},
		"no entries":          {`{"path": "/d", "max_entries": 0}`, "max_entries"},
		"owner with a colon":  {`{"path": "/d", "owner": "a:b"}`, "owner"},
		"group with a spaces": {`{"path": "/d", "group": "a b"}`, "group"},
	}
}

func TestPurgeLeavesWhatIsManaged(t *testing.T) {
	sys := purgeHost(t)
	r := sample{attributes: `{"path": "/d", "purge": true}`}.resource(t, directoryKind(), "").(*Directory)
	changes, err := r.Check(context.Background(), sys)
	if err != nil || len(changes) != 1 || changes[0].Before != "/d/extra, /d/gone, /d/sub/extra not managed" {
		t.Fatalf("Check = %+v, %v, want the three that nobody manages", changes, err)
	}
	if err := r.Apply(context.Background(), sys, changes); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"kept": true, "extra": false, "sub/kept": true, "sub/extra": false, "gone": false, "own/x": true} {
		_, err := os.Stat(filepath.Join(sys.Root, "d", name))
		if there := err == nil; there != want {
			t.Errorf("%s is there: %v, want %v", name, there, want)
		}
	}
}

func TestDirectoryRefuses(t *testing.T) {
	cases := map[string]struct{ attributes, want string }{
		"a file":               {`{"path": "/f"}`, "a file stands at /f"},
		"not empty":            {`{"path": "/d", "state": "absent"}`, "is not empty (2 entries)"},
		"absent, but a file":   {`{"path": "/f", "state": "absent"}`, "not a folder"},
		"too many entries":     {`{"path": "/d", "recurse": true, "max_entries": 1}`, "raise max_entries"},
		"too many, and deeper": {`{"path": "/d", "recurse": true, "max_entries": 2}`, "raise max_entries"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			sys, root := sample{files: map[string]string{"f": "", "d/a": "", "d/b/c": ""}}.build(t)
			r := sample{attributes: c.attributes}.resource(t, directoryKind(), root)
			_, err := r.Check(context.Background(), sys)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Check = %v, want %q", err, c.want)
			}
		})
	}
}

func TestDirectoryAbsentKeepsAFullFolder(t *testing.T) {
	sys, _ := sample{files: map[string]string{"d/a": "x"}}.build(t)
	d := &Directory{Path: "/d", State: "absent", MaxEntries: 10}
	if err := d.Apply(context.Background(), sys, nil); err == nil {
		t.Error("Apply = nil, want an error: somebody filled the folder after Check")
	}
	if ok, err := sys.Files().Exists("/d/a"); !ok || errors.Is(err, os.ErrNotExist) {
		t.Error("the file below is gone")
	}
}
