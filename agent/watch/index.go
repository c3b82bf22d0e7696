package watch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// index knows which names in which folders matter to which targets. The whole way to a path is
// watched, folder by folder, for any of them may be moved away or replaced by a link.
type index struct {
	sources sources
	places  map[string]*place
	folders map[string]map[string]bool // by id of the kernel's
	blind   map[string]bool            // folders of which it was said that they cannot be watched
}

// place is one folder.
type place struct {
	ids   []string
	whole bool // also what is written into its files
	names map[string]map[*target]bool
}

const (
	// everything stands for all names in a folder.
	everything = "*/"
	// starters stands for those folders in systemd's whose links start units.
	starters = "*.wants/"
)

// isStarter tells whether links in a folder of the name start units.
func isStarter(name string) bool {
	return strings.HasSuffix(name, ".wants") || strings.HasSuffix(name, ".requires")
}

// spot is one name in one folder.
type spot struct{ folder, name string }

// hit is a target that a notice is about.
type hit struct {
	target *target
	path   string
	moved  bool // the way to the path may be another one now
}

type blindness struct {
	folder string
	err    error
}

const (
	maxLinks   = 40
	maxFolders = 4096 // below one tree
)

func newIndex(s sources) *index {
	return &index{sources: s, places: map[string]*place{}, folders: map[string]map[string]bool{}, blind: map[string]bool{}}
}

// hit finds the targets that a notice is about. Of a folder on the way only its coming and going
// counts, which the value of names says.
func (ix *index) hit(n notice) []hit {
	var list []hit
	for folder := range ix.folders[n.id] {
		p := ix.places[folder]
		if n.what&self != 0 {
			for name, set := range p.names {
				list = append(list, hits(set, folder, name, true, true)...)
			}
			continue
		}
		entry := n.what&entry != 0
		moved := entry || len(p.ids) > 1 // it may be called otherwise now, see [sources.add]
		list = append(list, hits(p.names[n.name], folder, n.name, entry, moved)...)
		list = append(list, hits(p.names[everything], folder, n.name, entry, moved)...)
		if isStarter(n.name) {
			list = append(list, hits(p.names[starters], folder, n.name, entry, moved)...)
		}
	}
	return list
}

func hits(set map[*target]bool, folder, name string, all, moved bool) []hit {
	var list []hit
	for t, final := range set {
		if all || final {
			list = append(list, hit{t, filepath.Join(folder, name), moved})
		}
	}
	return list
}

// below finds the targets whose way leads through one of the paths. There may be ten thousand names, and
// many paths.
func (ix *index) below(paths []string) map[*target]string {
	found := map[*target]string{}
	for _, path := range paths {
		folder, name := filepath.Dir(path), filepath.Base(path)
		if p := ix.places[folder]; p != nil {
			note(found, p.names[name], path)
		}
		inside := strings.TrimSuffix(path, "/") + "/"
		for folder, p := range ix.places {
			if folder != path && !strings.HasPrefix(folder, inside) {
				continue
			}
			for name, set := range p.names {
				note(found, set, where(folder, name))
			}
		}
	}
	return found
}

// where is the path that a name in a folder stands for.
func where(folder, name string) string {
	if name == everything || name == starters {
		return folder
	}
	return filepath.Join(folder, name)
}

func note(found map[*target]string, set map[*target]bool, path string) {
	for t := range set {
		found[t] = path
	}
}

// pass is one round of resolving. A folder is asked for once in it.
type pass struct {
	*index
	fresh map[string]error
	whole map[string]bool
	found []blindness
}

// resolve watches what the targets want now and leaves what they wanted before. It returns the
// folders that cannot be watched and were not named before.
func (ix *index) resolve(list []*target) []blindness {
	p := &pass{index: ix, fresh: map[string]error{}, whole: map[string]bool{}}
	var left []spot
	for _, t := range list {
		left = append(left, ix.leave(t)...)
		t.spots, t.blind = nil, slices.ContainsFunc(t.Units, unheard)
		p.target(t)
	}
	ix.sweep(left)
	return p.found
}

func (p *pass) target(t *target) {
	for _, path := range t.paths() {
		p.follow(t, path)
	}
	if len(t.Units) > 0 { // new folders may come there whose links start units
		if real, ok := p.follow(t, t.below(unitFolder)); ok {
			p.hook(t, real, starters, false)
		}
	}
	for _, folder := range t.Folders {
		if real, ok := p.follow(t, t.below(folder)); ok {
			p.hook(t, real, everything, true)
		}
	}
	for _, tree := range t.Trees {
		if real, ok := p.follow(t, t.below(tree)); ok {
			p.tree(t, real)
		}
	}
}

func (p *pass) tree(t *target, root string) {
	left := maxFolders
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return nil //nolint:nilerr // what vanished meanwhile is told by the folder above
		}
		if left--; left < 0 {
			return unix.ENOSPC
		}
		p.hook(t, path, everything, true)
		return nil
	})
	if err != nil {
		p.cannot(t, root, err)
	}
}

// follow walks to a path as the kernel does and watches on its way. It returns where the path
// leads when something is there.
func (p *pass) follow(t *target, path string) (real string, ok bool) {
	at, rest, links := "/", split(path), 0
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			at = filepath.Dir(at)
			continue
		}
		p.hook(t, at, name, len(rest) == 0)
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		if err != nil {
			return "", false // its coming is seen
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		to, err := os.Readlink(next)
		if links++; err != nil || links > maxLinks {
			return "", false
		}
		if filepath.IsAbs(to) {
			at = t.below("/")
		}
		rest = append(split(to), rest...)
	}
	return at, true
}

func split(path string) []string {
	var list []string
	for part := range strings.SplitSeq(path, "/") {
		if part != "" && part != "." {
			list = append(list, part)
		}
	}
	return list
}

// hook watches a folder and notes that a name in it matters.
func (p *pass) hook(t *target, folder, name string, final bool) {
	at := p.places[folder]
	if at == nil {
		at = &place{names: map[string]map[*target]bool{}}
		p.places[folder] = at
	}
	if at.names[name] == nil {
		at.names[name] = map[*target]bool{}
	}
	at.names[name][t] = at.names[name][t] || final
	t.spots = append(t.spots, spot{folder, name})
	if err := p.watch(at, folder, final); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
		p.cannot(t, folder, err)
	}
}

func (p *pass) watch(at *place, folder string, final bool) error {
	if err, done := p.fresh[folder]; done && (err != nil || p.whole[folder] || !final) {
		return err
	}
	at.whole = at.whole || final
	ids, err := p.sources.add(folder, at.whole && !busy(folder), at.whole)
	p.fresh[folder], p.whole[folder] = err, at.whole
	if err == nil {
		delete(p.blind, folder)
	}
	if len(ids) == 0 || slices.Equal(ids, at.ids) {
		return err
	}
	for _, id := range at.ids {
		p.unname(folder, id)
	}
	at.ids = ids
	for _, id := range ids {
		if p.folders[id] == nil {
			p.folders[id] = map[string]bool{}
		}
		p.folders[id][folder] = true
	}
	return err
}

// busy tells of folders where programs write without end into files that nobody manages. There
// a change counts when the file is closed.
func busy(folder string) bool {
	for _, one := range []string{"/var", "/run", "/tmp", "/dev", "/proc", "/sys"} {
		if folder == one || strings.HasPrefix(folder, one+"/") {
			return true
		}
	}
	return false
}

func (p *pass) cannot(t *target, folder string, err error) {
	t.blind = true
	if !p.blind[folder] {
		p.blind[folder] = true
		p.found = append(p.found, blindness{folder, err})
	}
}

func (ix *index) unname(folder, id string) {
	delete(ix.folders[id], folder)
	if len(ix.folders[id]) == 0 {
		delete(ix.folders, id)
	}
}

// leave takes a target out of its places, and tells which they were.
func (ix *index) leave(t *target) []spot {
	for _, s := range t.spots {
		if p := ix.places[s.folder]; p != nil && p.names[s.name] != nil {
			delete(p.names[s.name], t)
		}
	}
	return t.spots
}

// sweep stops to watch folders in which nothing matters any more.
func (ix *index) sweep(list []spot) {
	for _, s := range list {
		p := ix.places[s.folder]
		if p == nil || len(p.names[s.name]) > 0 {
			continue
		}
		if delete(p.names, s.name); len(p.names) > 0 {
			continue
		}
		delete(ix.places, s.folder)
		delete(ix.blind, s.folder)
		for _, id := range p.ids {
			if ix.unname(s.folder, id); len(ix.folders[id]) == 0 {
				ix.sources.remove(s.folder, id)
			}
		}
	}
}

func (ix *index) drop(t *target) { ix.sweep(ix.leave(t)) }

// rename lets a target stand for another one in its places.
func (ix *index) rename(was, is *target) {
	for _, s := range was.spots {
		if p := ix.places[s.folder]; p != nil && p.names[s.name] != nil {
			p.names[s.name][is] = p.names[s.name][was]
			delete(p.names[s.name], was)
		}
	}
}
