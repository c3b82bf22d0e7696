package bundle

import (
	"bytes"
	"io/fs"
	"path"
	"time"
)

// FS returns the files of the tree as a file system. It knows no folders: nobody lists it.
func (t Tree) FS() fs.FS { return files(t) }

type files Tree

func (f files) Open(name string) (fs.File, error) {
	data, ok := f[name]
	if !ok || !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &file{name: path.Base(name), size: int64(len(data)), Reader: bytes.NewReader(data)}, nil
}

// file is an open file, and what is known about it.
type file struct {
	*bytes.Reader
	name string
	size int64
}

func (f *file) Close() error               { return nil }
func (f *file) Stat() (fs.FileInfo, error) { return about{f.name, f.size}, nil }

type about struct {
	name string
	size int64
}

func (a about) Name() string     { return a.name }
func (a about) Size() int64      { return a.size }
func (about) Mode() fs.FileMode  { return 0o444 }
func (about) ModTime() time.Time { return time.Time{} }
func (about) IsDir() bool        { return false }
func (about) Sys() any           { return nil }
