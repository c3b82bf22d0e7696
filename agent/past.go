package agent

import (
	"plumb/agent/cause"
)

// memoryOf is where a kind of run keeps what it left.
func memoryOf(folder string) string { return folder + "/memory.json" }

// Remembered is what the runs of the newest kind left of a resource, with its newest changes.
func (a *Agent) Remembered(last Last, address string) (cause.Entry, error) {
	folder := "runs"
	if last.Release == 0 {
		folder = "apply"
	}
	left, err := a.loadMemory(folder)
	return left[address], err
}
