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

func commandSamples() map[string]sample {
	const touch = `{"command": ["touch", "$ROOT/made"]`
	made := map[string]string{"made": ""}
	return map[string]sample{
		"creates":         {attributes: touch + `, "creates": "$ROOT/made"}`, live: true},
		"creates, fine":   {attributes: touch + `, "creates": "$ROOT/made"}`, live: true, files: made, fine: true},
		"unless":          {attributes: touch + `, "unless": [["test", "-e", "$ROOT/made"]]}`, live: true},
		"unless, fine":    {attributes: touch + `, "unless": [["false"], ["test", "-e", "$ROOT/made"]]}`, live: true, files: made, fine: true},
		"onlyif":          {attributes: touch + `, "onlyif": [["true"], ["test", "!", "-e", "$ROOT/made"]]}`, live: true},
		"onlyif, fine":    {attributes: touch + `, "onlyif": [["true"], ["false"]]}`, live: true, fine: true},
		"probe":           {attributes: touch + `, "probe": ["test", "-e", "$ROOT/made"]}`, live: true},
		"probe, fine":     {attributes: touch + `, "probe": ["true"]}`, live: true, fine: true},
		"all must allow":  {attributes: touch + `, "creates": "$ROOT/made", "onlyif": [["false"]]}`, live: true, fine: true},
		"refresh only":    {attributes: touch + `, "refresh_only": true}`, live: true, fine: true},
		"elsewhere":       {attributes: `{"command": ["sh", "-c", "echo $WORD > made"], "cwd": "$ROOT", "environment": {"WORD": "x"}, "creates": "$ROOT/made", "umask": "077"}`, live: true},
		"other code":      {attributes: `{"command": ["sh", "-c", "touch $ROOT/made; exit 3"], "creates": "$ROOT/made", "returns": [0, 3]}`, live: true},
		"second try":      {attributes: `{"command": ["sh", "-c", "test -e $ROOT/one && touch $ROOT/made || { touch $ROOT/one; false; }"], "creates": "$ROOT/made", "tries": 2}`, live: true},
		"another root":    {attributes: touch + `, "probe": ["true"]}`, wantErr: ErrUnknown},
		"no such program": {attributes: touch + `, "unless": [["plumb-no-such-program"]]}`, live: true, wantErr: ErrUnknown},
	}
}

func commandMistakes() map[string]wrong {
	return map[string]wrong{
		"no guard":       {`{"command": ["true"]}`, ""},
		"no command":     {`{"creates": "/x"}`, "command"},
		"a shell line":   {`{"command": ["touch /x"], "creates": "/x"}`, "command"},
		"relative":       {`{"command": ["./x"], "creates": "/x"}`, "command"},
		"creates":        {`{"command": ["true"], "creates": "x"}`, "creates"},
		"empty guard":    {`{"command": ["true"], "unless": [[]]}`, "unless"},
		"empty probe":    {`{"command": ["true"], "refresh_only": true, "probe": [""]}`, "probe"},
		"umask":          {`{"command": ["true"], "creates": "/x", "umask": "9"}`, "umask"},
		"no code":        {`{"command": ["true"], "creates": "/x", "returns": []}`, "tries"},
		"bad variable":   {`{"command": ["true"], "creates": "/x", "environment": {"A=B": "1"}}`, "environment"},
		"relative cwd":   {`{"command": ["true"], "creates": "/x", "cwd": "tmp"}`, "cwd"},
		"relative probe": {`{"command": ["true"], "probe": ["bin/x"]}`, "probe"},
	}
}

func TestCommandFails(t *testing.T) {
	c := &Command{Command: []string{"sh", "-c", "echo because >&2; exit 4"}, Creates: "/nope", Returns: []int{0}, Tries: 2}
	err := c.Apply(context.Background(), &system.System{}, nil)
	if err == nil || !strings.Contains(err.Error(), "sh failed (exit 4): because") {
		t.Errorf("Apply = %v, want exit code and words", err)
	}
	c.Command = []string{"plumb-no-such-program"}
	if err := c.Apply(context.Background(), &system.System{}, nil); !errors.Is(err, ErrUnknown) {
		t.Errorf("Apply of a missing program = %v, want ErrUnknown", err)
	}
}

func TestCommandRefresh(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	c := &Command{Command: []string{"sh", "-c", "echo ran >> " + log}, RefreshOnly: true, Returns: []int{0}, Tries: 1}
	guarded := *c
	guarded.Unless = [][]string{{"true"}}
	for _, one := range []*Command{c, &guarded} {
		if err := one.Refresh(context.Background(), &system.System{}); err != nil {
			t.Fatal(err)
		}
	}
	if raw, err := os.ReadFile(log); string(raw) != "ran\n" {
		t.Errorf("the log holds %q, %v, want one run: the guard stops the other", raw, err)
	}
}

func commandCheckSamples() map[string]sample {
	return map[string]sample{
		"matches":          {attributes: `{"command": ["printf", "a\nPort 22\n"], "must_match": "^Port 22$"}`, live: true, fine: true},
		"does not match":   {attributes: `{"command": ["printf", "Port 2222\n"], "must_match": "^Port 22$"}`, live: true},
		"nothing said":     {attributes: `{"command": ["true"], "must_match": "x"}`, live: true},
		"unwanted":         {attributes: `{"command": ["printf", "ok\nweak\n"], "must_not_match": "^weak"}`, live: true},
		"nothing unwanted": {attributes: `{"command": ["printf", "ok\n"], "must_not_match": "^weak"}`, live: true, fine: true},
		"exit code":        {attributes: `{"command": ["sh", "-c", "echo why >&2; exit 3"]}`, live: true},
		"exit code, fine":  {attributes: `{"command": ["sh", "-c", "exit 3"], "exit_codes": [0, 3]}`, live: true, fine: true},
		"stderr":           {attributes: `{"command": ["sh", "-c", "echo bad >&2"], "must_not_match": "bad", "stderr": true}`, live: true},
		"only stdout":      {attributes: `{"command": ["sh", "-c", "echo bad >&2"], "must_not_match": "bad"}`, live: true, fine: true},
		"no such program":  {attributes: `{"command": ["plumb-no-such-program"], "must_not_match": "x"}`, live: true, wantErr: ErrUnknown},
		"another root":     {attributes: `{"command": ["true"]}`, wantErr: ErrUnknown},
		"says too much":    {attributes: `{"command": ["sh", "-c", "yes | head -c 99999"], "max_output": 10, "must_not_match": "x"}`, live: true, wantErr: ErrUnknown},
	}
}

func commandCheckMistakes() map[string]wrong {
	return map[string]wrong{
		"no command": {`{}`, "command"},
		"pattern":    {`{"command": ["true"], "must_match": "("}`, "must_match"},
		"look-ahead": {`{"command": ["true"], "must_not_match": "(?=x)"}`, "must_not_match"},
		"no codes":   {`{"command": ["true"], "exit_codes": []}`, "exit_codes"},
		"no output":  {`{"command": ["true"], "max_output": 0}`, "max_output"},
	}
}

func TestCheckShowsTheLine(t *testing.T) {
	changes, err := judge("output", []byte("one\ntwo bad\x1b[0m three\n"), "missing", "bad")
	if err != nil || len(changes) != 2 {
		t.Fatalf("judge = %v, %v, want two changes", changes, err)
	}
	if changes[0].Before != "one …" || changes[1].Before != "line 2: two bad [0m three" || changes[1].After != "nothing matches bad" {
		t.Errorf("judge = %+v", changes)
	}
}

func fileContentCheckSamples() map[string]sample {
	conf := map[string]string{"etc/a.conf": "Port 22\n# note\n", "etc/b.conf": "Port 23\n"}
	return map[string]sample{
		"matches":         {attributes: `{"path": "/etc/a.conf", "must_match": "^Port 22$"}`, files: conf, fine: true},
		"does not match":  {attributes: `{"path": "/etc/b.conf", "must_match": "^Port 22$"}`, files: conf},
		"unwanted":        {attributes: `{"path": "/etc/a.conf", "must_not_match": "note"}`, files: conf},
		"every file":      {attributes: `{"path": "/etc/*.conf", "must_match": "^Port 22$"}`, files: conf},
		"any file":        {attributes: `{"path": "/etc/*.conf", "must_match": "^Port 22$", "any": true}`, files: conf, fine: true},
		"no file of any":  {attributes: `{"path": "/etc/*.conf", "must_match": "^Port 24$", "any": true}`, files: conf},
		"missing":         {attributes: `{"path": "/etc/c.conf", "must_not_match": "x"}`, files: conf},
		"missing is fine": {attributes: `{"path": "/etc/c.conf", "must_exist": false, "must_not_match": "x"}`, files: conf, fine: true},
		"too open":        {attributes: `{"path": "/etc/a.conf", "max_mode": "0600"}`, files: conf},
		"closed enough":   {attributes: `{"path": "/etc/a.conf", "max_mode": "0755"}`, files: conf, fine: true},
		"folder's mode":   {attributes: `{"path": "/etc", "max_mode": "0755"}`, files: conf, fine: true},
		"folder's text":   {attributes: `{"path": "/etc", "must_match": "x"}`, files: conf, wantErr: ErrUnknown},
		"owner":           {attributes: `{"path": "/etc/a.conf", "owner": "4242"}`, files: conf},
		"owner by name":   {attributes: `{"path": "/etc/a.conf", "owner": "nobody-here", "group": "nobody-here"}`, files: conf},
		"too large":       {attributes: `{"path": "/big", "must_not_match": "x"}`, files: map[string]string{"big": strings.Repeat("a", maxContent+1)}, wantErr: ErrUnknown},
		"behind a link":   {attributes: `{"path": "/l", "must_match": "x"}`, files: map[string]string{"l": "-> f", "f": "x"}, fine: true},
		"leads nowhere":   {attributes: `{"path": "/l", "must_match": "x"}`, files: map[string]string{"l": "-> f"}},
		"planted link":    {attributes: `{"path": "/d/l", "must_match": "x"}`, host: plantedLink, wantErr: ErrUnknown},
	}
}

func plantedLink(t *testing.T) *system.System {
	root := placeFiles(t, map[string]string{"d/l": "-> /f", "f": "x"})
	if err := os.Chmod(filepath.Join(root, "d"), 0o777); err != nil {
		t.Fatal(err)
	}
	return &system.System{Root: root}
}

func fileContentCheckMistakes() map[string]wrong {
	return map[string]wrong{
		"relative":  {`{"path": "f"}`, "path"},
		"pattern":   {`{"path": "/f["}`, "path"},
		"regex":     {`{"path": "/f", "must_match": "["}`, "must_match"},
		"mode":      {`{"path": "/f", "max_mode": "rw"}`, "max_mode"},
		"any alone": {`{"path": "/f", "any": true}`, "any"},
		"owner":     {`{"path": "/f", "owner": "a b"}`, "owner"},
	}
}
