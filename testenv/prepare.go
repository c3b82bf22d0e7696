package testenv

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// Prepare makes a machine ready for worlds, once: it installs the Debian packages that are
// missing, makes the key to the hosts, and builds the base system below all of them (about a
// minute, 250 MB) and the layers of the flavours (another minute, 220 MB). It needs root and a
// Debian mirror, and tells out what it does.
func Prepare(ctx context.Context, cache Cache, out io.Writer) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("cannot prepare: only root can install packages and build a root file system")
	}
	if err := os.MkdirAll(string(cache), 0o755); err != nil {
		return fmt.Errorf("cannot make the cache: %w", err)
	}
	if err := installTools(ctx, out); err != nil {
		return err
	}
	if err := makeKey(ctx, cache, out); err != nil {
		return err
	}
	if err := buildBase(ctx, cache, out); err != nil {
		return err
	}
	return buildLayers(ctx, cache, out)
}

func installTools(ctx context.Context, out io.Writer) error {
	missing := missingTools()
	if len(missing) == 0 {
		return nil
	}
	var packages []string
	for _, tool := range missing {
		packages = append(packages, tools()[tool])
	}
	slices.Sort(packages)
	fmt.Fprintf(out, "installing %v\n", packages)
	if err := run(ctx, out, "apt-get", "update", "-qq"); err != nil {
		return err
	}
	return run(ctx, out, "apt-get", append([]string{"install", "-y", "-qq", "--no-install-recommends"}, packages...)...)
}

func makeKey(ctx context.Context, cache Cache, out io.Writer) error {
	if _, err := os.Stat(cache.Key()); err == nil {
		return nil
	}
	fmt.Fprintf(out, "making the key %s\n", cache.Key())
	return run(ctx, out, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "plumb-testenv", "-f", cache.Key())
}

// buildBase builds next to the final place and renames, so a base that is there is whole.
func buildBase(ctx context.Context, cache Cache, out io.Writer) error {
	if _, err := os.Stat(cache.Base()); err == nil {
		return nil
	}
	fmt.Fprintf(out, "building the base system %s, about a minute\n", cache.Base())
	unfinished, err := os.MkdirTemp(string(cache), "unfinished-")
	if err != nil {
		return fmt.Errorf("cannot build the base system: %w", err)
	}
	defer os.RemoveAll(unfinished)
	script := filepath.Join(unfinished, "base.sh")
	if err := os.WriteFile(script, baseScript, 0o755); err != nil {
		return fmt.Errorf("cannot build the base system: %w", err)
	}
	root := filepath.Join(unfinished, "root")
	if err := run(ctx, out, "sh", script, root, cache.Key()+".pub"); err != nil {
		return err
	}
	if err := os.Rename(root, cache.Base()); err != nil {
		return fmt.Errorf("cannot keep the base system: %w", err)
	}
	return nil
}

// run lets a program write to out and returns an error that names it.
func run(ctx context.Context, out io.Writer, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot run %s %v: %w", name, args, err)
	}
	return nil
}
