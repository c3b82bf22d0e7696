package testenv_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The programs that the Vagrantfile copies need only be there for it to be valid.
func TestVagrantfileIsValid(t *testing.T) {
	if _, err := exec.LookPath("vagrant"); err != nil {
		t.Skip("needs vagrant: apt-get install --no-install-recommends vagrant")
	}
	dir := t.TempDir()
	content, err := os.ReadFile("../Vagrantfile")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"Vagrantfile": content, "bin/plumb": nil, "bin/plumb-agent": nil,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	validate := exec.CommandContext(t.Context(), "vagrant", "validate", "--ignore-provider")
	validate.Dir = dir
	validate.Env = append(os.Environ(), "HOME="+dir, "VAGRANT_CHECKPOINT_DISABLE=1")
	if out, err := validate.CombinedOutput(); err != nil {
		t.Errorf("vagrant validate: %v\n%s", err, out)
	}
}
