package facts

import (
	"os"
	"path/filepath"
	"strings"

	"plumb/agent/state"
	"plumb/modules/system"
)

// booted names one boot of one host or container; empty is unknown. What the host runs on cannot
// change meanwhile, and the program that tells it takes longer than all other facts together.
type booted string

// boot is made of the kernel's boot and the start of process 1: containers share their kernel's.
func boot(sys *system.System) booted {
	id, stat := text(sys, "/proc/sys/kernel/random/boot_id"), text(sys, "/proc/1/stat")
	rest := stat[strings.LastIndex(stat, ")")+1:] // the name before may have all in it
	const started = 19                            // of the fields from the state on, in ticks since the boot
	if fields := strings.Fields(rest); id != "" && len(fields) > started {
		return booted(id + " " + fields[started])
	}
	return ""
}

// virtualFile lies in the state folder.
const virtualFile = "virtual"

// load returns the word that was kept in this boot, if any.
func (b booted) load(folder string) string {
	raw, err := os.ReadFile(filepath.Join(folder, virtualFile))
	line, whole := strings.CutSuffix(string(raw), "\n")
	word, mine := strings.CutPrefix(line, string(b)+" ")
	if err != nil || b == "" || folder == "" || !whole || !mine {
		return ""
	}
	return word
}

// save keeps the word for the rest of the boot; where it cannot, the next one asks again.
func (b booted) save(folder, word string) {
	if b != "" && folder != "" {
		_ = state.WriteCache(filepath.Join(folder, virtualFile), []byte(string(b)+" "+word+"\n"))
	}
}
