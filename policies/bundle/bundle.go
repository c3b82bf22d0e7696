// Package bundle turns a policy tree into one file with one digest, and back.
//
// A bundle is an uncompressed tar of regular files in the order of their names, with nothing
// in it but names and bytes: the same tree gives the same bundle, byte for byte, on every
// machine. Unpack refuses whatever Pack would not have written.
package bundle

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
)

// Limits of a bundle; past them both Pack and Unpack refuse.
const (
	MaxBytes = 64 << 20
	MaxFiles = 20_000
)

// Tree is a policy tree: the content of each file by its path with slashes.
type Tree map[string][]byte

// Pack returns the bundle of a tree.
func Pack(tree Tree) ([]byte, error) {
	if len(tree) > MaxFiles {
		return nil, fmt.Errorf("the policy tree has %d files; %d is the most", len(tree), MaxFiles)
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		if err := add(w, name, tree[name]); err != nil {
			return nil, fmt.Errorf("cannot pack %s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if out.Len() > MaxBytes {
		return nil, fmt.Errorf("the policy tree has %d bytes; %d is the most", out.Len(), MaxBytes)
	}
	return out.Bytes(), nil
}

func add(w *tar.Writer, name string, data []byte) error {
	if !fs.ValidPath(name) || name == "." {
		return errors.New("the name is not a plain relative path")
	}
	head := &tar.Header{Name: name, Mode: 0o444, Size: int64(len(data)), Typeflag: tar.TypeReg, Format: tar.FormatPAX}
	if err := w.WriteHeader(head); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

// Unpack returns the tree of a bundle whose digest was verified before.
func Unpack(raw []byte) (Tree, error) {
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("the bundle has %d bytes; %d is the most", len(raw), MaxBytes)
	}
	tree, err := read(raw)
	if err != nil {
		return nil, err
	}
	// Times, owners, extended records, bytes behind the end: nothing may hide in a bundle.
	if again, err := Pack(tree); err != nil || !bytes.Equal(again, raw) {
		return nil, errors.New("the bundle is not in the form that this program packs")
	}
	return tree, nil
}

func read(raw []byte) (Tree, error) {
	tree, r, last := Tree{}, tar.NewReader(bytes.NewReader(raw)), ""
	left := int64(len(raw)) // a sparse file could claim far more than there is
	for {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			return tree, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the bundle: %w", err)
		}
		if left -= head.Size; left < 0 {
			return nil, fmt.Errorf("the bundle has %q, which is larger than the bundle", head.Name)
		}
		if err := accept(head, last, len(tree)); err != nil {
			return nil, err
		}
		last = head.Name
		if tree[last], err = io.ReadAll(r); err != nil {
			return nil, fmt.Errorf("cannot read %s from the bundle: %w", last, err)
		}
	}
}

func accept(head *tar.Header, last string, count int) error {
	switch {
	case head.Typeflag != tar.TypeReg:
		return fmt.Errorf("the bundle has %q, which is not a regular file", head.Name)
	case !fs.ValidPath(head.Name) || head.Name == ".":
		return fmt.Errorf("the bundle has the unusable name %q", head.Name)
	case head.Name <= last:
		return fmt.Errorf("the bundle has %q out of order", head.Name)
	case count >= MaxFiles:
		return fmt.Errorf("the bundle has more than %d files", MaxFiles)
	}
	return nil
}
