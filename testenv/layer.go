package testenv

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

//go:embed scripts/layer.sh
var layerScript []byte

// Flavour is the family of Linux that a host is of. All are Debian below; those of rpm have
// a layer of their own between the base system and the disk.
type Flavour string

// The flavours. Dnf hosts are taken for Enterprise Linux, Zypper hosts for openSUSE.
const (
	Debian Flavour = "debian"
	Dnf    Flavour = "dnf"
	Zypper Flavour = "zypper"
)

// layered are the flavours that need a layer.
func layered() []Flavour { return []Flavour{Dnf, Zypper} }

// Layer is the folder that holds what a flavour adds to the base. Its name changes with the
// scripts that make the two.
func (c Cache) Layer(f Flavour) string {
	sum := sha256.Sum256(append(append([]byte{}, baseScript...), layerScript...))
	return filepath.Join(string(c), fmt.Sprintf("layer-%s-%x", f, sum[:6]))
}

// MissingFlavour says why no host of a flavour can start here, or nothing when one can.
func MissingFlavour(c Cache, f Flavour) string {
	if why := Missing(c); why != "" || f == Debian {
		return why
	}
	if _, err := os.Stat(c.Layer(f)); err != nil {
		return fmt.Sprintf("needs the layer %s: run `go run ./testenv/cmd/world prepare`", c.Layer(f))
	}
	return ""
}

// below is the lowerdir of the disks of a flavour.
func (c Cache) below(f Flavour) string {
	if f == Debian {
		return c.Base()
	}
	return filepath.Join(c.Layer(f), "upper") + ":" + c.Base()
}

// buildLayers builds each layer next to its final place, as buildBase does.
func buildLayers(ctx context.Context, cache Cache, out io.Writer) error {
	for _, f := range layered() {
		if _, err := os.Stat(cache.Layer(f)); err == nil {
			continue
		}
		fmt.Fprintf(out, "building the layer %s, about half a minute\n", cache.Layer(f))
		if err := buildLayer(ctx, cache, f, out); err != nil {
			return fmt.Errorf("cannot build the %s layer: %w", f, err)
		}
	}
	return nil
}

func buildLayer(ctx context.Context, cache Cache, f Flavour, out io.Writer) error {
	unfinished, err := os.MkdirTemp(string(cache), "unfinished-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(unfinished)
	script, dir := filepath.Join(unfinished, "layer.sh"), filepath.Join(unfinished, "layer")
	if err := os.WriteFile(script, layerScript, 0o755); err != nil {
		return err
	}
	if err := run(ctx, out, "sh", script, cache.Base(), dir, string(f)); err != nil {
		return err
	}
	return os.Rename(dir, cache.Layer(f))
}
