package facts

import (
	"os"
	"path/filepath"
	"testing"

	"plumb/modules/system"
)

func TestVirtualIsKeptForOneBoot(t *testing.T) {
	sys := &system.System{Root: "/", State: t.TempDir()}
	path := filepath.Join(sys.State, virtualFile)
	this := boot(sys)
	if this == "" {
		t.Skip("needs /proc: it tells one boot from another")
	}
	found := virtual(t.Context(), sys)
	for name, c := range map[string]struct{ kept, want string }{
		"this boot":    {string(this) + " moon\n", "moon"},
		"another boot": {string(this) + "1 moon\n", found},
		"torn":         {string(this) + " mo", found},
		"empty":        {"", found},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(c.kept), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := virtual(t.Context(), sys); got != c.want {
				t.Errorf("virtual() = %q, want %q", got, c.want)
			}
			want := string(this) + " " + c.want + "\n"
			if raw, err := os.ReadFile(path); err != nil || string(raw) != want {
				t.Errorf("kept = %q, %v, want %q", raw, err, want)
			}
		})
	}
}

func TestBoot(t *testing.T) {
	stat := func(text string) *system.System {
		return rooted(t, map[string]string{"proc/sys/kernel/random/boot_id": "b\n", "proc/1/stat": text})
	}
	const rest = " S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 77 9 9\n"
	for text, want := range map[string]booted{"1 (init)" + rest: "b 77", "1 (a) b) (c)" + rest: "b 77", "1 (init) S 0": "", "": ""} {
		if got := boot(stat(text)); got != want {
			t.Errorf("boot() of %q = %q, want %q", text, got, want)
		}
	}
}
