package repo

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"plumb/policies/bundle"
)

// TreeError says why a tree cannot become a bundle. Authors see it.
type TreeError struct {
	// File is the path in the tree, empty when it is about the tree as a whole.
	File string
	// Reason says what is wrong and what to do.
	Reason string
}

func (e *TreeError) Error() string {
	if e.File == "" {
		return e.Reason
	}
	return fmt.Sprintf("%q: %s", e.File, e.Reason)
}

// Tree returns the files of a commit, all of them or none. The error is a [TreeError] when
// the tree itself is at fault.
func (v View) Tree(ctx context.Context, commit string) (bundle.Tree, error) {
	if err := checkHash(commit); err != nil {
		return nil, err
	}
	entries, err := v.list(ctx, commit)
	if err != nil {
		return nil, fmt.Errorf("cannot list the files of %.12s: %w", commit, err)
	}
	wants := make([]want, len(entries))
	for i, e := range entries {
		wants[i] = want{hash: e.hash, kind: "blob", most: e.size}
	}
	tree := make(bundle.Tree, len(entries))
	err = v.objects(ctx, wants, func(i int, data []byte) { tree[entries[i].path] = data })
	if err != nil {
		return nil, fmt.Errorf("cannot read the files of %.12s: %w", commit, err)
	}
	return tree, nil
}

// entry is one regular file of a tree.
type entry struct {
	path, hash string
	size       int64
}

// list stops git as soon as the tree is too large: a tree of a few hundred bytes can stand
// for more files than there are atoms.
func (v View) list(ctx context.Context, commit string) ([]entry, error) {
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	var errs capped
	cmd := v.repo.child(ctx, v.env, "--git-dir="+v.repo.dir, "ls-tree", "-r", "-z", "-l", "--full-tree", commit)
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	entries, err := readEntries(out)
	if err != nil {
		cancel()
		_ = cmd.Wait() // it was killed
		return nil, err
	}
	if err := cmd.Wait(); err != nil {
		return nil, explain(ctx, err, errs.String())
	}
	return entries, nil
}

const maxPath = 1024 // bytes of a path in the tree

// readEntries reads the output of `git ls-tree -r -z -l`.
func readEntries(r io.Reader) ([]entry, error) {
	var list []entry
	total := int64(0)
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := in.ReadSlice(0)
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return list, nil
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, tooLong(string(line))
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read what git lists: %w", err)
		}
		e, err := parseEntry(string(line[:len(line)-1]))
		if err != nil {
			return nil, err
		}
		total += e.size
		list = append(list, e)
		if len(list) > bundle.MaxFiles || total > bundle.MaxBytes {
			return nil, &TreeError{Reason: fmt.Sprintf("the policy tree is too large; %d files and %d MiB are the most", bundle.MaxFiles, bundle.MaxBytes>>20)}
		}
	}
}

var entryForm = regexp.MustCompile(`^([0-7]{6}) ([a-z]+) ([0-9a-f]{40}) +([0-9]{1,18}|-)\t((?s).+)$`)

func parseEntry(line string) (entry, error) {
	m := entryForm.FindStringSubmatch(line)
	if m == nil {
		return entry{}, fmt.Errorf("cannot read what git lists: %.80q", line)
	}
	e := entry{hash: m[3], path: m[5]}
	switch m[1] {
	case "100644", "100755", "100664":
	case "120000":
		return entry{}, &TreeError{e.path, "symbolic links are not taken; put a copy of the file in its place"}
	case "160000":
		return entry{}, &TreeError{e.path, "submodules are not taken; use a module block with a git:: source, or copy the files"}
	default:
		return entry{}, &TreeError{e.path, "only regular files are taken, and this has mode " + m[1]}
	}
	size, err := strconv.ParseInt(m[4], 10, 64)
	if err != nil {
		return entry{}, fmt.Errorf("cannot read what git lists: %.80q", line)
	}
	e.size = size
	return e, checkPath(e.path)
}

func checkPath(path string) error {
	switch {
	case len(path) > maxPath:
		return tooLong(path)
	case !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl) || strings.Contains(path, `\`):
		return &TreeError{path, "the name is not plain text; rename it without control characters and backslashes"}
	case !fs.ValidPath(path) || slices.ContainsFunc(strings.Split(path, "/"), isGit):
		return &TreeError{path, "the name is not usable; rename it"}
	}
	return nil
}

func tooLong(path string) error {
	return &TreeError{strings.ToValidUTF8(path[:80], "?") + "…", fmt.Sprintf("the name is longer than %d bytes; shorten it", maxPath)}
}

func isGit(part string) bool { return strings.EqualFold(part, ".git") }

// want is an object to read: its kind is checked and its size bounded.
type want struct {
	hash, kind string
	most       int64
}

// objects reads the wanted objects in their order by one `git cat-file --batch`.
func (v View) objects(ctx context.Context, wants []want, got func(int, []byte)) error {
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	var ask bytes.Buffer
	for _, w := range wants {
		if err := checkHash(w.hash); err != nil {
			return err
		}
		ask.WriteString(w.hash + "\n")
	}
	var errs capped
	cmd := v.repo.child(ctx, v.env, "--git-dir="+v.repo.dir, "cat-file", "--batch")
	cmd.Stdin, cmd.Stderr = &ask, &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := readBatch(bufio.NewReader(out), wants, got); err != nil {
		cancel()
		_ = cmd.Wait() // it was killed
		return err
	}
	if err := cmd.Wait(); err != nil {
		return explain(ctx, err, errs.String())
	}
	return nil
}

func readBatch(in *bufio.Reader, wants []want, got func(int, []byte)) error {
	for i, w := range wants {
		head, err := in.ReadString('\n')
		if err != nil {
			return fmt.Errorf("cannot read %.12s: %w", w.hash, err)
		}
		var hash, kind string
		var size int64
		if n, _ := fmt.Sscanf(head, "%40s %10s %d\n", &hash, &kind, &size); n != 3 || hash != w.hash {
			return fmt.Errorf("cannot read %.12s: git says %.80q", w.hash, head)
		}
		if kind != w.kind || size < 0 || size > w.most {
			return fmt.Errorf("%.12s is a %s of %d bytes; a %s of at most %d was expected", w.hash, kind, size, w.kind, w.most)
		}
		body := make([]byte, size+1)
		if _, err := io.ReadFull(in, body); err != nil {
			return fmt.Errorf("cannot read %.12s: %w", w.hash, err)
		}
		got(i, body[:size])
	}
	return nil
}
