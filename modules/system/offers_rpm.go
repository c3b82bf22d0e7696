package system

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"plumb/inventory"
)

// rpmLists is where a manager of rpm keeps things on which its offers depend.
type rpmLists struct {
	// repositories are folders with .repo files, caches a pattern of the folders of a repository's
	// lists, and others are further files.
	repositories []string
	caches       []string
	others       []string
}

// rpmRepository is one repository as its .repo file describes it.
type rpmRepository struct {
	id, name, site string
}

// rpmKey is equal while rpm's database, the package lists and the settings are. Once a day it
// changes by itself, so that the lists of a host that nobody patches are fetched anew.
func (r rpmDatabase) key(l rpmLists, now time.Time) (string, error) {
	names := slices.Clone(l.others)
	for _, file := range []string{"rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages.db", "Packages"} {
		names = append(names, "/var/lib/rpm/"+file, "/usr/lib/sysimage/rpm/"+file)
	}
	key := ""
	for _, name := range names {
		if e, err := r.s.Files().StatFollow(name); err == nil && e.Size > 0 {
			key += mark(e)
		}
	}
	if key == "" {
		return "", errors.New("cannot look at rpm's database: it is not where rpm keeps it")
	}
	for _, folder := range l.repositories {
		entries, _ := r.s.Files().List(folder)
		for _, e := range entries {
			key += mark(e)
		}
	}
	for _, list := range r.lists(l) {
		key += mark(list)
	}
	return inventory.Digest([]byte(fmt.Sprint(key, r.age(l, now)))), nil
}

// lists are the indexes of all cached repositories.
func (r rpmDatabase) lists(l rpmLists) []Entry {
	var found []Entry
	for _, pattern := range l.caches {
		names, err := r.s.Files().Glob(pattern+"/repodata/repomd.xml", 1000)
		if err != nil {
			continue
		}
		for _, name := range names {
			if e, err := r.s.Files().StatFollow(name); err == nil {
				found = append(found, e)
			}
		}
	}
	return found
}

// age is how many days ago the newest list was written, a large number when there is none.
func (r rpmDatabase) age(l rpmLists, now time.Time) int64 {
	var newest time.Time
	for _, e := range r.lists(l) {
		if e.Modified.After(newest) {
			newest = e.Modified
		}
	}
	return int64(now.Sub(newest) / (24 * time.Hour))
}

// repositories reads the .repo files.
func (r rpmDatabase) repositories(folders []string) map[string]rpmRepository {
	all := map[string]rpmRepository{}
	for _, folder := range folders {
		for _, name := range r.s.systemNames(folder) {
			if !strings.HasSuffix(name, ".repo") {
				continue
			}
			raw, err := r.s.Files().Read(path.Join(folder, name), 1<<20)
			if err != nil {
				continue
			}
			for _, one := range parseRepoFile(string(raw)) {
				all[one.id] = one
			}
		}
	}
	return all
}

// parseRepoFile reads sections of settings. What follows $ in a name stays as it is: it is the
// same on all hosts that way.
func parseRepoFile(text string) []rpmRepository {
	var list []rpmRepository
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(strings.ToValidUTF8(line, "?"))
		if id, ok := strings.CutPrefix(line, "["); ok {
			list = append(list, rpmRepository{id: strings.TrimSuffix(id, "]")})
			continue
		}
		setting, value, ok := strings.Cut(line, "=")
		if !ok || len(list) == 0 {
			continue
		}
		last := &list[len(list)-1]
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(setting) {
		case "name":
			last.name = printableWord([]byte(value))
		case "baseurl", "mirrorlist", "metalink":
			if u, err := url.Parse(firstWord(value)); err == nil && last.site == "" {
				last.site = u.Hostname()
			}
		}
	}
	return list
}

func firstWord(s string) string {
	if words := strings.FieldsFunc(s, func(c rune) bool { return c == ' ' || c == ',' || c == '\t' }); len(words) > 0 {
		return words[0]
	}
	return ""
}

// complete adds to the offers of a manager with what repositories and notices say.
func (r rpmDatabase) complete(ctx context.Context, l rpmLists, found *inventory.Offers) {
	repositories := r.repositories(l.repositories)
	used := map[string]bool{}
	for i := range found.List {
		o := &found.List[i]
		from := repositories[o.Suite]
		used[o.Suite] = true
		o.Codename, o.Label, o.Site = o.Suite, cmp.Or(from.name, o.Suite), from.site
		o.Origin = cmp.Or(o.Origin, o.Suite)
		o.Reboot = rpmReboot(strings.TrimSuffix(o.Package, "."+o.Arch))
	}
	found.Notices = answered(r.notices(ctx, l, used), found.List)
	slices.SortFunc(found.List, inventory.Offer.Compare)
}

// answered leaves the notices that an offer answers, and marks those offers.
func answered(notices []inventory.Notice, offers []inventory.Offer) []inventory.Notice {
	byName := map[string][]*inventory.Offer{}
	for i := range offers {
		byName[offers[i].Package] = append(byName[offers[i].Package], &offers[i])
	}
	kept := notices[:0]
	for _, n := range notices {
		hit := false
		for _, f := range n.Fixes {
			for _, o := range byName[f.Package] {
				if !newerRPM(f.Version, o.Installed) || newerRPM(f.Version, o.Candidate) {
					continue
				}
				hit = true
				o.Security = o.Security || n.Kind == "security"
				o.Reboot = o.Reboot || n.Reboot
			}
		}
		if hit {
			kept = append(kept, n)
		}
	}
	slices.SortFunc(kept, func(a, b inventory.Notice) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(kept, func(a, b inventory.Notice) bool { return a.ID == b.ID })
}
