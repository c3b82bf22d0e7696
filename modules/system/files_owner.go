package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxAccounts bounds /etc/passwd and /etc/group, in bytes.
const maxAccounts = 16 << 20

// ErrNoAccount is wrapped when the host knows no user or group of that name.
var ErrNoAccount = errors.New("no such account")

// account is one line of /etc/passwd or, without gid and home, of /etc/group.
type account struct {
	name string
	id   int
	gid  int
	home string
}

// ownerMemory keeps the two tables until their files change, and who this process is.
type ownerMemory struct {
	mu            sync.Mutex
	users, groups accountTable

	asked sync.Once
	euid  uint32
}

// user is the user who runs this, as it was when somebody first asked.
func (s *System) user() uint32 {
	s.owners.asked.Do(func() { s.owners.euid = uint32(os.Geteuid()) })
	return s.owners.euid
}

type accountTable struct {
	seen   stamp
	looked time.Time // when seen was true
	byName map[string]account
	byID   map[int]string
}

// UserID returns the number of a user given by name or number, [ErrNoAccount] when the
// name is unknown. Users of a directory service answer through getent.
func (s *System) UserID(ctx context.Context, user string) (int, error) {
	if id, ok := number(user); ok {
		return id, nil
	}
	a, err := s.account(ctx, "passwd", user)
	return a.id, err
}

// GroupID is UserID for groups.
func (s *System) GroupID(ctx context.Context, group string) (int, error) {
	if id, ok := number(group); ok {
		return id, nil
	}
	a, err := s.account(ctx, "group", group)
	return a.id, err
}

// UserName returns the name of a user for a person to read; the number when it has none.
func (s *System) UserName(id int) string { return s.nameOf("passwd", id) }

// GroupName is UserName for groups.
func (s *System) GroupName(id int) string { return s.nameOf("group", id) }

func (s *System) nameOf(table string, id int) string {
	t, err := s.accountTable(table)
	if name, ok := t.byID[id]; err == nil && ok {
		return name
	}
	return strconv.Itoa(id)
}

func number(text string) (int, bool) {
	id, err := strconv.ParseUint(text, 10, 31)
	return int(id), err == nil
}

func (s *System) account(ctx context.Context, table, name string) (account, error) {
	t, err := s.accountTable(table)
	if err != nil {
		return account{}, err
	}
	if a, ok := t.byName[name]; ok {
		return a, nil
	}
	if !s.Running() || strings.HasPrefix(name, "-") {
		return account{}, fmt.Errorf("%w: %s %q", ErrNoAccount, table, name)
	}
	return s.askNames(ctx, table, name)
}

// askNames asks the name service, which also knows users of LDAP and the like.
func (s *System) askNames(ctx context.Context, table, name string) (account, error) {
	out, err := s.Run(ctx, Command{Argv: []string{"getent", table, name}, Timeout: 20 * time.Second})
	if err != nil && !errors.Is(err, ErrNoTool) {
		return account{}, err
	}
	line, _, _ := strings.Cut(string(out.Stdout), "\n")
	a, ok := parseAccount(line)
	if err != nil || out.Code != 0 || !ok || a.name != name {
		return account{}, fmt.Errorf("%w: %s %q", ErrNoAccount, table, name)
	}
	return a, nil
}

func (s *System) accountTable(table string) (accountTable, error) {
	s.owners.mu.Lock()
	defer s.owners.mu.Unlock()
	kept := &s.owners.users
	if table == "group" {
		kept = &s.owners.groups
	}
	if kept.byName != nil && time.Since(kept.looked) < moment && s.steady() {
		return *kept, nil
	}
	looked, now := time.Now(), s.stampOf("/etc/"+table)
	if kept.byName != nil && kept.seen == now {
		kept.looked = looked
		return *kept, nil
	}
	raw, err := s.Files().Read("/etc/"+table, maxAccounts)
	if errors.Is(err, fs.ErrNotExist) {
		return accountTable{}, nil
	}
	if err != nil {
		return accountTable{}, err
	}
	*kept = parseAccounts(string(raw))
	kept.seen, kept.looked = now, looked
	return *kept, nil
}

// stamp tells one state of a file from another.
type stamp struct {
	device, inode uint64
	size          int64
	modified      unix.Timespec
	changed       unix.Timespec
}

// stampOf looks at a file by one call of the kernel, whoever made the links on its way: it only
// says whether the file has to be read again, as it was read before. It is zero for no file.
func (s *System) stampOf(name string) stamp {
	var st unix.Stat_t
	if err := unix.Stat(path.Join(s.Files().root, name), &st); err != nil {
		return stamp{}
	}
	return stamp{uint64(st.Dev), st.Ino, st.Size, st.Mtim, st.Ctim}
}

// parseAccounts reads /etc/passwd or /etc/group. The first line of a name or number
// counts, as it does for the C library.
func parseAccounts(text string) accountTable {
	t := accountTable{byName: map[string]account{}, byID: map[int]string{}}
	for line := range strings.Lines(text) {
		a, ok := parseAccount(line)
		if !ok {
			continue
		}
		if _, ok := t.byName[a.name]; !ok {
			t.byName[a.name] = a
		}
		if _, ok := t.byID[a.id]; !ok {
			t.byID[a.id] = a.name
		}
	}
	return t
}

func parseAccount(line string) (account, bool) {
	fields, ok := accountFields(line, 3)
	if !ok {
		return account{}, false
	}
	id, ok := number(fields[2])
	a := account{name: fields[0], id: id}
	if len(fields) >= 6 {
		a.gid, _ = number(fields[3])
		a.home = fields[5]
	}
	return a, ok
}

// lookUser returns who a command is to run as.
func (s *System) lookUser(ctx context.Context, name string) (account, error) {
	if id, ok := number(name); ok {
		name = s.nameOf("passwd", id)
	}
	return s.account(ctx, "passwd", name)
}

// groupsOf asks for all groups of a user, as a login would give them.
func (s *System) groupsOf(ctx context.Context, who account) ([]uint32, error) {
	out, err := s.Run(ctx, Command{Argv: []string{"id", "-G", "--", who.name}, Timeout: 20 * time.Second})
	if err != nil {
		return nil, err
	}
	var groups []uint32
	for _, field := range strings.Fields(string(out.Stdout)) {
		id, ok := number(field)
		if !ok {
			return nil, fmt.Errorf("cannot read the groups of %s: %q", who.name, field)
		}
		groups = append(groups, uint32(id))
	}
	if len(groups) == 0 {
		return nil, fmt.Errorf("cannot tell the groups of %s: %s", who.name, out.LastWords())
	}
	return groups, nil
}
