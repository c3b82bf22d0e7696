package facts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxCustom bounds each file of facts.d, in bytes.
const maxCustom = 64 << 10

// readCustom reads STATE/facts.d/NAME.json, one JSON object a file. A bad file must not keep
// a host from being managed: it is left out and named in a warning.
func readCustom(state string) (found map[string]any, warnings []string) {
	if state == "" {
		return nil, nil
	}
	dir := filepath.Join(state, "facts.d")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, []string{fmt.Sprintf("cannot list facts.d: %v", err)}
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		object, err := readObject(filepath.Join(dir, e.Name()))
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("cannot use facts.d/%s.json: %v", name, err))
			continue
		}
		if found == nil {
			found = map[string]any{}
		}
		found[name] = object
	}
	return found, warnings
}

// readObject reads one file; a pipe would block whoever opens it.
func readObject(file string) (map[string]any, error) {
	if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(errors.New("it is not a regular file"), err)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxCustom+1))
	if err != nil {
		return nil, err
	}
	return parseObject(raw)
}

func parseObject(raw []byte) (map[string]any, error) {
	if len(raw) > maxCustom {
		return nil, fmt.Errorf("it is larger than %d KiB", maxCustom>>10)
	}
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, fmt.Errorf("it is not a JSON object: %w", err)
	}
	if object == nil {
		return nil, errors.New("it is not a JSON object: null")
	}
	return object, nil
}
