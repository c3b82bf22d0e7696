package bundle

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestPackIsTheSameEachTime(t *testing.T) {
	one := Tree{"b/c.hcl": []byte("c"), "a.hcl": []byte("a"), "b.hcl": {}}
	first, err := Pack(one)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, err := Pack(Tree{"a.hcl": []byte("a"), "b.hcl": {}, "b/c.hcl": []byte("c")})
		if err != nil || !bytes.Equal(first, again) {
			t.Fatalf("Pack() differs for the same tree (%v)", err)
		}
	}
}

func TestPackAndUnpack(t *testing.T) {
	names := rapid.StringMatching(`[a-zé]{1,8}(/[a-z]{1,8}){0,3}(\.hcl)?`)
	rapid.Check(t, func(t *rapid.T) {
		tree := Tree(rapid.MapOf(names, rapid.SliceOf(rapid.Byte())).Draw(t, "tree"))
		raw, err := Pack(tree)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Unpack(raw)
		if err != nil {
			t.Fatal(err)
		}
		same := cmp.Comparer(func(a, b []byte) bool { return bytes.Equal(a, b) })
		if diff := cmp.Diff(tree, back, same); diff != "" {
			t.Fatalf("Unpack(Pack(tree)) (-want +got):\n%s", diff)
		}
	})
}

func TestLongNames(t *testing.T) {
	long := strings.Repeat("folder/", 60) + "größe.hcl"
	raw, err := Pack(Tree{long: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	if back, err := Unpack(raw); err != nil || string(back[long]) != "x" {
		t.Errorf("Unpack() = %v, %v", back, err)
	}
}

func TestPackRefuses(t *testing.T) {
	many := Tree{}
	for i := range MaxFiles + 1 {
		many[fmt.Sprint(i)] = nil
	}
	cases := map[string]Tree{
		"too many files": many, "too many bytes": {"a": make([]byte, MaxBytes)}, "absolute": {"/a": nil}, "upwards": {"../a": nil},
		"dots within": {"a/../b": nil}, "empty name": {"": nil}, "a folder": {"a/": nil}, "the root": {".": nil}, "double slash": {"a//b": nil},
	}
	for name, tree := range cases {
		if _, err := Pack(tree); err == nil {
			t.Errorf("Pack(%s) took it", name)
		}
	}
}

// pack writes whatever it is told, as somebody with other tools would.
func pack(t *testing.T, heads ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, head := range heads {
		head.Mode = 0o444
		if err := w.WriteHeader(&head); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// sparse is a tar of one file which says that it has a hole of that many bytes. The writer of
// the standard library refuses to make one, so the name of its record is put in afterwards.
func sparse(t *testing.T, size int64) []byte {
	t.Helper()
	raw := pack(t, tar.Header{Name: "a", Typeflag: tar.TypeReg, Format: tar.FormatPAX,
		PAXRecords: map[string]string{"GNX.sparse.major": "0", "GNX.sparse.minor": "1", "GNX.sparse.numblocks": "0", "GNX.sparse.map": "",
			"GNX.sparse.size": fmt.Sprint(size)}})
	raw = bytes.ReplaceAll(raw, []byte("GNX.sparse"), []byte("GNU.sparse"))
	head, err := tar.NewReader(bytes.NewReader(raw)).Next()
	if err != nil || head.Size != size {
		t.Fatalf("the sparse tar is read as %+v, %v", head, err)
	}
	return raw
}

func TestUnpackRefuses(t *testing.T) {
	file := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg} }
	good, err := Pack(Tree{"a": []byte("a"), "b": bytes.Repeat([]byte("b"), 2000)})
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string][]byte{
		"link":         pack(t, tar.Header{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}),
		"hard link":    pack(t, tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "b"}),
		"folder":       pack(t, tar.Header{Name: "a/", Typeflag: tar.TypeDir}),
		"device":       pack(t, tar.Header{Name: "a", Typeflag: tar.TypeChar}),
		"upwards":      pack(t, file("../a")),
		"absolute":     pack(t, file("/a")),
		"out of order": pack(t, file("b"), file("a")),
		"twice":        pack(t, file("a"), file("a")),
		"time":         pack(t, tar.Header{Name: "a", Typeflag: tar.TypeReg, ModTime: time.Unix(1e9, 0)}),
		"owner":        pack(t, tar.Header{Name: "a", Typeflag: tar.TypeReg, Uname: "root"}),
		"record":       pack(t, tar.Header{Name: "a", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"PLUMB.x": "y"}}),
		"sparse":       sparse(t, 1<<40),
		"bytes behind": append(bytes.Clone(good), 0),
		"cut short":    good[:1600],
		"noise":        bytes.Repeat([]byte{7}, 2048),
		"too large":    make([]byte, MaxBytes+1),
	}
	for name, raw := range cases {
		if tree, err := Unpack(raw); err == nil {
			t.Errorf("Unpack(%s) = %d files, want an error", name, len(tree))
		}
	}
}

func TestFS(t *testing.T) {
	files := Tree{"a/b.hcl": []byte("x")}.FS()
	if raw, err := fs.ReadFile(files, "a/b.hcl"); err != nil || string(raw) != "x" {
		t.Errorf("ReadFile() = %q, %v", raw, err)
	}
	if info, err := fs.Stat(files, "a/b.hcl"); err != nil || info.Name() != "b.hcl" || info.Size() != 1 || info.IsDir() {
		t.Errorf("Stat() = %v, %v", info, err)
	}
	for _, name := range []string{"a", "a/c.hcl", "../a/b.hcl", "/a/b.hcl"} {
		if _, err := fs.ReadFile(files, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("ReadFile(%q) = %v, want that it does not exist", name, err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	for _, tree := range []Tree{{}, {"a.hcl": []byte("a")}, {"a/b": []byte("x"), "a/ö": nil, strings.Repeat("l/", 80) + "l": []byte("y")}} {
		raw, err := Pack(tree)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		tree, err := Unpack(raw)
		if err != nil {
			return
		}
		if again, err := Pack(tree); err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("Unpack() took what Pack() would not have written (%v)", err)
		}
	})
}
