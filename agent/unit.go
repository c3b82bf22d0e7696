package agent

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

//go:embed plumb-agent.service
var unit string

// UnitFile is where systemd looks for the agent's unit.
const UnitFile = "/etc/systemd/system/plumb-agent.service"

// Unit returns the systemd unit that runs the command.
func Unit(command []string) string {
	var words []string
	for _, word := range command {
		if strings.ContainsAny(word, " \t\"'\\$%") {
			word = strconv.Quote(strings.NewReplacer("%", "%%", "$", "$$").Replace(word))
		}
		words = append(words, word)
	}
	return strings.ReplaceAll(unit, "@EXEC@", strings.Join(words, " "))
}

// Install writes the unit below the root folder.
func Install(root string, command []string) (string, error) {
	path := filepath.Join(root, UnitFile)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("cannot install the unit: %w", err)
	}
	if err := os.WriteFile(path, []byte(Unit(command)), 0o644); err != nil {
		return "", fmt.Errorf("cannot install the unit: %w", err)
	}
	return path, nil
}
