package modules

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"plumb/modules/system"
	"plumb/policies"
)

// User is the kind user: one local account.
type User struct {
	Name            string   `json:"name" plumb:"required" doc:"Name of the account."`
	State           string   `json:"state,omitempty" doc:"present (default) or absent. The home folder is kept in either case."`
	UID             *int     `json:"uid,omitempty" doc:"Its number. Left to the host when it is not given."`
	Group           string   `json:"group,omitempty" doc:"Name or number of its primary group, which must be there."`
	Groups          []string `json:"groups,omitempty" doc:"Further groups that it belongs to."`
	GroupsExclusive bool     `json:"groups_exclusive,omitempty" doc:"Whether it leaves all further groups that are not listed."`
	Comment         *string  `json:"comment,omitempty" doc:"Usually the person's full name."`
	Home            string   `json:"home,omitempty" doc:"Absolute path of the home folder."`
	ManageHome      *bool    `json:"manage_home,omitempty" doc:"Make the home folder with the account, and move it when home changes. By default for accounts that are not of the system."`
	Shell           string   `json:"shell,omitempty" doc:"Absolute path of the login shell."`
	PasswordHash    *string  `json:"password_hash,omitempty" plumb:"secret" doc:"The password as crypt writes it ($y$…, $6$…), or * for none. Never the password itself."`
	Locked          *bool    `json:"locked,omitempty" doc:"Whether no password opens the account. SSH keys still do: give expires to close it altogether."`
	System          bool     `json:"system,omitempty" doc:"Take the number from the range of system accounts, when it is made."`
	Expires         string   `json:"expires,omitempty" doc:"Date from which on the account is closed, YYYY-MM-DD, or never."`
}

func userKind() Kind {
	return Kind{
		Name: "user", Rank: 11,
		Doc: "A local account of /etc/passwd. Only what is given is managed. It is made and changed with useradd and usermod; " +
			"a password hash never shows on a command line. Accounts of LDAP and the like are not seen.",
		New: func() Resource { return &User{State: "present"} },
	}
}

var (
	accountName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z_][a-z0-9_.-]{0,31}\$?$`) })
	cryptHash   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(\$[^:\s!*]+|\*)$`) })
)

// Identity is the account's name.
func (u *User) Identity() string { return u.Name }

// Provides is user:NAME, and group:NAME where useradd makes a group of the same name.
func (u *User) Provides() []string {
	if u.Group != "" {
		return []string{"user:" + u.Name}
	}
	return []string{"user:" + u.Name, "group:" + u.Name}
}

// Needs names its groups.
func (u *User) Needs() []string {
	var list []string
	for _, name := range append(slices.Clone(u.Groups), u.Group) {
		if _, err := strconv.Atoi(name); err != nil && name != "" && name != u.Name {
			list = append(list, "group:"+name)
		}
	}
	return list
}

// Validate looks at names, paths, the hash and the date.
func (u *User) Validate() []Mistake {
	list := oneOf("state", u.State, "present", "absent")
	list = append(list, nameMistakes("name", u.Name)...)
	for _, name := range u.Groups {
		list = append(list, nameMistakes("groups", name)...)
	}
	if _, err := strconv.ParseUint(u.Group, 10, 31); err != nil && u.Group != "" {
		list = append(list, nameMistakes("group", u.Group)...)
	}
	for attribute, path := range map[string]string{"home": u.Home, "shell": u.Shell} {
		if path != "" {
			list = append(list, pathMistakes(attribute, path)...)
		}
		if strings.Contains(path, ":") {
			list = append(list, Mistake{attribute, "A colon cannot be written into /etc/passwd. Remove it."})
		}
	}
	return append(list, u.valueMistakes()...)
}

func (u *User) valueMistakes() []Mistake {
	var list []Mistake
	if u.UID != nil && (*u.UID < 0 || *u.UID >= 1<<31-1) {
		list = append(list, Mistake{"uid", "A number of an account lies between 0 and 2147483646."})
	}
	if u.Comment != nil && strings.ContainsAny(*u.Comment, ":\n\x00") {
		list = append(list, Mistake{"comment", "A colon or a line break cannot be written into /etc/passwd. Remove it."})
	}
	if u.PasswordHash != nil && !cryptHash().MatchString(*u.PasswordHash) {
		list = append(list, Mistake{"password_hash", "This is not a hash. Make one with \"mkpasswd\" or \"openssl passwd -6\", or write \"*\" for no password. To lock the account, write locked = true."})
	}
	if _, err := time.Parse(time.DateOnly, u.Expires); err != nil && u.Expires != "" && u.Expires != "never" {
		list = append(list, Mistake{"expires", fmt.Sprintf("%q is not a date. Write it as 2027-01-31, or never.", u.Expires)})
	}
	return list
}

func nameMistakes(attribute, name string) []Mistake {
	if accountName().MatchString(name) {
		return nil
	}
	return []Mistake{{attribute, fmt.Sprintf("%q cannot be the name of an account: start with a small letter or _, then small letters, digits, _, - and dots, 32 at most.", name)}}
}

// Check compares the account's lines with what is wanted.
func (u *User) Check(_ context.Context, sys *system.System) ([]policies.Change, error) {
	found, ok, err := sys.FindUser(u.Name)
	if err != nil {
		return nil, err
	}
	if u.State == "absent" || !ok {
		return u.checkState(ok), nil
	}
	changes, err := u.checkPasswd(sys, found)
	if err != nil {
		return nil, err
	}
	more, err := u.checkGroups(sys, found)
	if err != nil {
		return nil, err
	}
	secret, err := u.checkShadow(sys)
	return slices.Concat(changes, more, secret), err
}

func (u *User) checkState(there bool) []policies.Change {
	if there == (u.State != "absent") {
		return nil
	}
	if there {
		return []policies.Change{{Attribute: "state", Before: "present", After: "absent"}}
	}
	return []policies.Change{{Attribute: "state", Before: "absent", After: "present"}}
}

func (u *User) checkPasswd(sys *system.System, found system.User) ([]policies.Change, error) {
	var changes []policies.Change
	add := func(attribute, before, after string) {
		if before != after {
			changes = append(changes, policies.Change{Attribute: attribute, Before: before, After: after})
		}
	}
	if u.UID != nil {
		add("uid", strconv.Itoa(found.UID), strconv.Itoa(*u.UID))
	}
	if u.Group != "" {
		before, err := primaryGroup(sys, found.GID, u.Group)
		if err != nil {
			return nil, err
		}
		add("group", before, u.Group)
	}
	if u.Comment != nil {
		add("comment", found.Comment, *u.Comment)
	}
	if u.Home != "" {
		add("home", found.Home, u.Home)
	}
	if u.Shell != "" {
		add("shell", found.Shell, u.Shell)
	}
	return changes, nil
}

// primaryGroup names the group as the policy does, by number or by name. Two names of one
// number are the same group.
func primaryGroup(sys *system.System, gid int, wanted string) (string, error) {
	if _, err := strconv.Atoi(wanted); err == nil {
		return strconv.Itoa(gid), nil
	}
	groups, err := sys.Groups()
	if err != nil {
		return "", err
	}
	name := strconv.Itoa(gid)
	for _, g := range groups {
		if g.GID == gid && (g.Name == wanted || name == strconv.Itoa(gid)) {
			name = g.Name
		}
	}
	return name, nil
}

func (u *User) checkGroups(sys *system.System, found system.User) ([]policies.Change, error) {
	if u.Groups == nil && !u.GroupsExclusive {
		return nil, nil
	}
	groups, err := sys.Groups()
	if err != nil {
		return nil, err
	}
	var listed, primary []string
	for _, g := range groups {
		if slices.Contains(g.Members, u.Name) {
			listed = append(listed, g.Name)
		}
		if g.GID == found.GID {
			primary = append(primary, g.Name)
		}
	}
	wanted := slices.DeleteFunc(slices.Clone(u.Groups), func(name string) bool {
		return slices.Contains(primary, name) && !slices.Contains(listed, name)
	})
	return membership("groups", listed, wanted, u.GroupsExclusive), nil
}

// membership compares two sets of names. When the wanted one is not exclusive, names beyond it do no harm.
func membership(attribute string, found, wanted []string, exclusive bool) []policies.Change {
	after := slices.Clone(wanted)
	if !exclusive {
		after = append(after, found...)
	}
	slices.Sort(after)
	after = slices.Compact(after)
	before := slices.Clone(found)
	slices.Sort(before)
	before = slices.Compact(before)
	if slices.Equal(before, after) {
		return nil
	}
	return []policies.Change{{Attribute: attribute, Before: strings.Join(before, ", "), After: strings.Join(after, ", ")}}
}

func (u *User) checkShadow(sys *system.System) ([]policies.Change, error) {
	if u.PasswordHash == nil && u.Locked == nil && u.Expires == "" {
		return nil, nil
	}
	found, _, err := sys.FindShadow(u.Name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	var changes []policies.Change
	if u.PasswordHash != nil && strings.TrimPrefix(found.Hash, "!") != *u.PasswordHash {
		changes = append(changes, policies.Change{Attribute: "password_hash", Before: "(another hash)", After: "(hidden)"})
	}
	if u.Locked != nil && *u.Locked != found.Locked() {
		changes = append(changes, policies.Change{Attribute: "locked", Before: fmt.Sprint(found.Locked()), After: fmt.Sprint(*u.Locked)})
	}
	if u.Expires != "" && expiryWords(found.Expires) != u.Expires {
		changes = append(changes, policies.Change{Attribute: "expires", Before: expiryWords(found.Expires), After: u.Expires})
	}
	return changes, nil
}

func expiryWords(date string) string {
	if date == "" {
		return "never"
	}
	return date
}
