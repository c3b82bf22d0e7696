package modules

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumb/modules/system"
)

func TestFileAppliesOnce(t *testing.T) {
	root := t.TempDir()
	sys := &system.System{Root: root, State: t.TempDir()}
	content := "one\n"
	f := &File{Path: "/motd", State: "present", Links: "refuse", Content: &content, Mode: "0640", Backup: 3}
	ctx := context.Background()
	for _, before := range []string{"", "other\n"} {
		if before != "" {
			if err := os.WriteFile(filepath.Join(root, "motd"), []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		changes, err := f.Check(ctx, sys)
		if err != nil || len(changes) == 0 {
			t.Fatalf("Check before = %v, %v, want changes", changes, err)
		}
		if err := f.Apply(ctx, sys, changes); err != nil {
			t.Fatal(err)
		}
		if changes, err := f.Check(ctx, sys); err != nil || len(changes) != 0 {
			t.Errorf("Check after = %v, %v, want nothing", changes, err)
		}
	}
	old, err := sys.Original("/motd")
	if err != nil || !old.Missing {
		t.Errorf("Original = %+v, %v, want that there was nothing before", old, err)
	}
}

func TestValidateCmdKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	sys := &system.System{Root: "/"}
	path := filepath.Join(dir, "conf")
	if err := os.WriteFile(path, []byte("good\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	bad := "bad\n"
	f := &File{Path: path, State: "present", Links: "refuse", Content: &bad,
		ValidateCmd: []string{"sh", "-c", `grep good "$1" || { echo line 1 is bad >&2; exit 3; }`, "sh", "%"}}
	ctx := context.Background()
	changes, err := f.Check(ctx, sys)
	if err != nil {
		t.Fatal(err)
	}
	err = f.Apply(ctx, sys, changes)
	if err == nil || !strings.Contains(err.Error(), "line 1 is bad") {
		t.Errorf("Apply = %v, want the words of the validator", err)
	}
	if raw, _ := os.ReadFile(path); string(raw) != "good\n" {
		t.Errorf("the file is now %q, want the old content", raw)
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("%d entries in the folder, want no temporary file", len(list))
	}
}

func fileSamples() map[string]sample {
	const text = `"content": "new\n"`
	return map[string]sample{
		"missing":            {attributes: `{"path": "/f", ` + text + `}`},
		"missing, empty":     {attributes: `{"path": "/f"}`},
		"missing folder":     {attributes: `{"path": "/d/f", ` + text + `}`, noApply: "the folder is another resource's"},
		"other content":      {attributes: `{"path": "/f", ` + text + `}`, files: map[string]string{"f": "old\n"}},
		"other mode":         {attributes: `{"path": "/f", "mode": "0600"}`, files: map[string]string{"f": "old\n"}},
		"other owner":        {attributes: `{"path": "/f", "owner": "65534", "group": "65534"}`, host: rootHost(map[string]string{"f": ""})},
		"all fine":           {attributes: `{"path": "/f", "mode": "0644", ` + text + `}`, files: map[string]string{"f": "new\n"}, fine: true},
		"only that it is":    {attributes: `{"path": "/f"}`, files: map[string]string{"f": "new\n"}, fine: true},
		"source":             {attributes: `{"path": "/f", "source": "files/a"}`, files: map[string]string{"files/a": "a", "f": "b"}},
		"created once":       {attributes: `{"path": "/f", "create_only": true, ` + text + `}`, files: map[string]string{"f": "old\n"}, fine: true},
		"created once, mode": {attributes: `{"path": "/f", "create_only": true, "mode": "0600", ` + text + `}`, files: map[string]string{"f": "old\n"}},
		"absent":             {attributes: `{"path": "/f", "state": "absent"}`, files: map[string]string{"f": "old\n"}},
		"absent already":     {attributes: `{"path": "/d/f", "state": "absent"}`, fine: true},
		"absent folder":      {attributes: `{"path": "/f", "state": "absent", "force": true}`, files: map[string]string{"f/g/h": "x"}},
		"folder, forced":     {attributes: `{"path": "/f", "force": true, ` + text + `}`, files: map[string]string{"f/g/h": "x"}},
		"link, replaced":     {attributes: `{"path": "/f", "links": "replace", ` + text + `}`, files: map[string]string{"f": "-> g", "g": "x"}},
		"link, followed":     {attributes: `{"path": "/f", "links": "follow", "mode": "0600", ` + text + `}`, files: map[string]string{"f": "-> g", "g": "x"}},
		"link, mode":         {attributes: `{"path": "/f", "links": "follow", "mode": "0600"}`, files: map[string]string{"f": "-> g", "g": "x"}},
		"link to nothing":    {attributes: `{"path": "/f", "links": "follow", ` + text + `}`, files: map[string]string{"f": "-> g"}},
		"through a link":     {attributes: `{"path": "/var/run/f", ` + text + `}`, files: map[string]string{"run": "dir", "var/run": "-> /run"}},
		"binary":             {attributes: `{"path": "/f", "content": "\u0000\u0001"}`, files: map[string]string{"f": "\xff\xfe"}},
		"validated":          {attributes: `{"path": "$ROOT/f", "validate_cmd": ["grep", "-q", "new", "%"], ` + text + `}`, live: true},
		"in an open folder":  {attributes: `{"path": "/d/f", "shared": true, "mode": "0600", ` + text + `}`, host: openFolder},
	}
}

// rootHost is a root folder in which files can be given away.
func rootHost(files map[string]string) func(t *testing.T) *system.System {
	return func(t *testing.T) *system.System {
		if os.Geteuid() != 0 {
			t.Skip("needs root: gives files to another user")
		}
		return &system.System{Root: placeFiles(t, files)}
	}
}

// openFolder has a file that belongs to nobody sure: content may be put there, its mode alone not changed.
func openFolder(t *testing.T) *system.System {
	root := placeFiles(t, map[string]string{"d/f": "new\n"})
	if err := os.Chmod(filepath.Join(root, "d"), 0o777); err != nil {
		t.Fatal(err)
	}
	return &system.System{Root: root}
}

func fileMistakes() map[string]wrong {
	return map[string]wrong{
		"no path":           {`{}`, "path"},
		"relative":          {`{"path": "etc/f"}`, "path"},
		"the root":          {`{"path": "/"}`, "path"},
		"dots":              {`{"path": "/etc/../f"}`, "path"},
		"slash at the end":  {`{"path": "/etc/f/"}`, "path"},
		"two contents":      {`{"path": "/f", "content": "", "source": "a"}`, "source"},
		"absent content":    {`{"path": "/f", "content": "", "state": "absent"}`, "state"},
		"state":             {`{"path": "/f", "state": "here"}`, "state"},
		"mode":              {`{"path": "/f", "mode": "0888"}`, "mode"},
		"mode in words":     {`{"path": "/f", "mode": "u+x"}`, "mode"},
		"owner and group":   {`{"path": "/f", "owner": "root:root"}`, "owner"},
		"links":             {`{"path": "/f", "links": "ignore"}`, "links"},
		"source outside":    {`{"path": "/f", "source": "../a"}`, "source"},
		"validator, no %":   {`{"path": "/f", "validate_cmd": ["visudo", "-c"]}`, "validate_cmd"},
		"backup below zero": {`{"path": "/f", "backup": -1}`, "backup"},
	}
}

func TestFileRefuses(t *testing.T) {
	cases := map[string]struct{ attributes, want string }{
		"a link":              {`{"path": "/l", "content": ""}`, "symbolic link to f"},
		"a folder":            {`{"path": "/d", "content": ""}`, "a folder stands at /d"},
		"a folder, absent":    {`{"path": "/d", "state": "absent"}`, "is a folder"},
		"a changed source":    {`{"path": "/f", "source": "f", "source_digest": "00"}`, "is not the file"},
		"a source that is no": {`{"path": "/f", "source": "no"}`, "cannot read source"},
	}
	files := map[string]string{"f": "x", "l": "-> f", "d/x": "x"}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			sys, root := sample{files: files}.build(t)
			r := sample{attributes: c.attributes}.resource(t, fileKind(), root)
			_, err := r.Check(context.Background(), sys)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Check = %v, want %q", err, c.want)
			}
		})
	}
}

func TestFileShowsNoContentButInTheDiff(t *testing.T) {
	sys, root := sample{files: map[string]string{"f": "old-secret\n"}}.build(t)
	r := sample{attributes: `{"path": "/f", "content": "new-secret\n"}`}.resource(t, fileKind(), root)
	changes, err := r.Check(context.Background(), sys)
	if err != nil || len(changes) != 1 {
		t.Fatalf("Check = %v, %v, want one change", changes, err)
	}
	if c := changes[0]; strings.Contains(c.Before+c.After, "secret") || !strings.Contains(c.Diff, "+new-secret") {
		t.Errorf("Check = %+v, want digests and a diff", c)
	}
}

// A file that somebody else may have linked there must not be shown to whoever reads reports.
func TestFileShowsNoDiffOfAnUnsureFile(t *testing.T) {
	sys := openFolder(t)
	r := sample{attributes: `{"path": "/d/f", "content": "other\n"}`}.resource(t, fileKind(), "")
	changes, err := r.Check(context.Background(), sys)
	if err != nil || len(changes) != 1 || changes[0].Diff != "" {
		t.Errorf("Check = %+v, %v, want one change without a diff", changes, err)
	}
}

func FuzzParseMode(f *testing.F) {
	for _, seed := range []string{"0644", "2775", "07777", "", "8", "0o644", "-1", "+644", "0_644"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		mode, ok := parseMode(text)
		if !ok {
			return
		}
		again, ok := parseMode(showMode(mode))
		if again != mode || !ok || strings.Trim(text, "01234567") != "" {
			t.Errorf("parseMode(%q) = %o, and again %o, %v", text, mode, again, ok)
		}
	})
}
