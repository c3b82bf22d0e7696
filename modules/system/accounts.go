package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// User is one line of /etc/passwd.
type User struct {
	Name                 string
	UID, GID             int
	Comment, Home, Shell string
}

// Group is one line of /etc/group. Members are as they are listed: users whose primary
// group it is are not among them.
type Group struct {
	Name    string
	GID     int
	Members []string
}

// Shadow is one line of /etc/shadow.
type Shadow struct {
	Name string
	// Hash is crypt's own text, with a "!" in front while the password is locked.
	Hash string
	// Expires is the date (YYYY-MM-DD) from which on the account is closed, empty for never.
	Expires string
}

// Locked tells whether no password can open the account. Keys of SSH still can.
func (s Shadow) Locked() bool {
	return strings.HasPrefix(s.Hash, "!") || strings.HasPrefix(s.Hash, "*")
}

// ErrNotRoot is wrapped when accounts below another root would need root's rights.
var ErrNotRoot = errors.New("only root can change accounts below another root")

// FindUser returns the user of that name in /etc/passwd below the root.
func (s *System) FindUser(name string) (User, bool, error) {
	users, err := s.Users()
	i := slices.IndexFunc(users, func(u User) bool { return u.Name == name })
	if err != nil || i < 0 {
		return User{}, false, err
	}
	return users[i], true, nil
}

// FindGroup returns the group of that name in /etc/group below the root.
func (s *System) FindGroup(name string) (Group, bool, error) {
	groups, err := s.Groups()
	i := slices.IndexFunc(groups, func(g Group) bool { return g.Name == name })
	if err != nil || i < 0 {
		return Group{}, false, err
	}
	return groups[i], true, nil
}

// FindShadow returns the user's line of /etc/shadow, which only root may read.
func (s *System) FindShadow(name string) (Shadow, bool, error) {
	text, err := s.accountText("shadow")
	if err != nil {
		return Shadow{}, false, err
	}
	for line := range strings.Lines(text) {
		if one, ok := parseShadow(line); ok && one.Name == name {
			return one, true, nil
		}
	}
	return Shadow{}, false, nil
}

// Users returns the users of /etc/passwd in its order.
func (s *System) Users() ([]User, error) { return accountLines(s, "passwd", parseUser) }

// Groups returns the groups of /etc/group in its order.
func (s *System) Groups() ([]Group, error) { return accountLines(s, "group", parseGroup) }

func accountLines[T any](s *System, table string, parse func(string) (T, bool)) ([]T, error) {
	text, err := s.accountText(table)
	if err != nil {
		return nil, err
	}
	var list []T
	for line := range strings.Lines(text) {
		if one, ok := parse(line); ok {
			list = append(list, one)
		}
	}
	return list, nil
}

// accountText reads a table. A root folder without one has no accounts.
func (s *System) accountText(table string) (string, error) {
	raw, err := s.Files().Read("/etc/"+table, maxAccounts)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(raw), err
}

// accountFields splits a line of n fields or more. Lines of NIS ("+", "-") are passed over.
func accountFields(line string, n int) ([]string, bool) {
	fields := strings.Split(strings.TrimRight(line, "\n"), ":")
	if len(fields) < n || fields[0] == "" || strings.ContainsAny(fields[0][:1], "#+-") {
		return nil, false
	}
	return fields, true
}

func parseUser(line string) (User, bool) {
	f, ok := accountFields(line, 7)
	if !ok {
		return User{}, false
	}
	uid, isUID := number(f[2])
	gid, isGID := number(f[3])
	return User{Name: f[0], UID: uid, GID: gid, Comment: f[4], Home: f[5], Shell: f[6]}, isUID && isGID
}

func parseGroup(line string) (Group, bool) {
	f, ok := accountFields(line, 4)
	if !ok {
		return Group{}, false
	}
	gid, ok := number(f[2])
	members := strings.FieldsFunc(f[3], func(r rune) bool { return r == ',' })
	return Group{Name: f[0], GID: gid, Members: members}, ok
}

func parseShadow(line string) (Shadow, bool) {
	f, ok := accountFields(line, 8)
	if !ok {
		return Shadow{}, false
	}
	one := Shadow{Name: f[0], Hash: f[1]}
	if days, err := strconv.ParseInt(f[7], 10, 32); err == nil && days >= 0 {
		one.Expires = time.Unix(days*24*60*60, 0).UTC().Format(time.DateOnly)
	}
	return one, true
}

// ChangeAccount runs a tool of the shadow suite: useradd, usermod, userdel, groupadd,
// groupmod, groupdel, gpasswd or chpasswd. An
// error that wraps [ErrBusy] means that somebody else is at the tables. Below another root it works in there, if we are root.
// Secrets go through stdin: every user of the host can read a command line.
func (s *System) ChangeAccount(ctx context.Context, argv []string, stdin string) error {
	if !s.Running() {
		if os.Geteuid() != 0 {
			return fmt.Errorf("cannot run %s: %w", argv[0], ErrNotRoot)
		}
		argv = slices.Concat(argv[:1], []string{"--root", s.Root}, argv[1:])
	}
	_, err := host().must(ctx, Command{Argv: argv, Stdin: []byte(stdin), Timeout: 2 * time.Minute})
	if err != nil && strings.Contains(err.Error(), "cannot lock /etc/") {
		return fmt.Errorf("the lock of the accounts %w: %w", ErrBusy, err)
	}
	return err
}
