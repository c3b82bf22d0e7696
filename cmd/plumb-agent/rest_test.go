package main

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRestGivesBackTheProgram(t *testing.T) {
	before := residentOfFiles(t)
	rest()
	if after := residentOfFiles(t); after > before/2 {
		t.Errorf("%d KiB of files are resident, %d before", after, before)
	}
}

// residentOfFiles reads what the kernel tells of this process, in KiB.
func residentOfFiles(t *testing.T) int {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), "RssFile:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestUntouched(t *testing.T) {
	plain := "400000-401000 r-xp 00000000 fe:00 77   /usr/bin/plumb agent\n"
	tests := map[string]struct {
		smaps string
		want  []mapping
	}{
		"text":                  {plain + "Rss: 8 kB\nAnonymous:             0 kB\n", []mapping{{0x400000, 0x401000}}},
		"constants":             {strings.Replace(plain, "r-xp", "r--p", 1) + "Anonymous: 0 kB\n", []mapping{{0x400000, 0x401000}}},
		"moved by a loader":     {strings.Replace(plain, "r-xp", "r--p", 1) + "Anonymous: 4 kB\n", nil},
		"variables":             {strings.Replace(plain, "r-xp", "rw-p", 1) + "Anonymous: 0 kB\n", nil},
		"shared with others":    {strings.Replace(plain, "r-xp", "r--s", 1) + "Anonymous: 0 kB\n", nil},
		"no file":               {"7ffc0000-7ffc2000 r-xp 00000000 00:00 0   [vdso]\nAnonymous: 0 kB\n", nil},
		"of the one before":     {plain + "Rss: 8 kB\n500000-501000 rw-p 00000000 00:00 0\nAnonymous: 0 kB\n", nil},
		"an older kernel":       {plain + "Rss: 8 kB\n", nil},
		"what nobody has heard": {"Anonymous: 0 kB\nx\n", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, untouched([]byte(tt.smaps)), cmp.AllowUnexported(mapping{})); diff != "" {
				t.Errorf("untouched (-want +got):\n%s", diff)
			}
		})
	}
}
