package modules

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumb/modules/system"
	"plumb/policies"
)

const (
	testHash    = "$6$salt$u8yVnVnkSGnvSd4T6J1Cb7y"
	accountBase = `root:x:0:0:root:/root:/bin/sh
alice:x:1000:1000:Alice:/home/alice:/bin/bash
`
)

// accountRoot is a root folder with the four tables of accounts.
func accountRoot(t *testing.T) *system.System {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"passwd":  accountBase,
		"group":   "root:x:0:\nadm:x:4:alice\nsudo:x:27:\nalice:x:1000:\n",
		"shadow":  "root:*:19000:0:99999:7:::\nalice:" + testHash + ":19000:0:99999:7::20819:\n",
		"gshadow": "root:*::\nadm:*::alice\nsudo:*::\nalice:!::\n",
	} {
		if err := errors.Join(os.MkdirAll(filepath.Join(root, "etc"), 0o755),
			os.WriteFile(filepath.Join(root, "etc", name), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return &system.System{Root: root}
}

func TestUserCheck(t *testing.T) {
	yes, no, uid, other := true, false, 1000, 1001
	hash, otherHash, comment := testHash, "$6$other$xyz", "Somebody"
	one := func(attribute, before, after string) []policies.Change {
		return []policies.Change{{Attribute: attribute, Before: before, After: after}}
	}
	cases := map[string]struct {
		give User
		want []policies.Change
	}{
		"nothing managed": {User{}, nil},
		"all in order": {User{UID: &uid, Group: "alice", Groups: []string{"adm"}, GroupsExclusive: true, Home: "/home/alice",
			Shell: "/bin/bash", PasswordHash: &hash, Locked: &no, Expires: "2027-01-01"}, nil},
		"group by number":      {User{Group: "1000"}, nil},
		"primary is in groups": {User{Groups: []string{"alice"}}, nil},
		"uid":                  {User{UID: &other}, one("uid", "1000", "1001")},
		"group":                {User{Group: "sudo"}, one("group", "alice", "sudo")},
		"comment":              {User{Comment: &comment}, one("comment", "Alice", "Somebody")},
		"shell":                {User{Shell: "/bin/sh"}, one("shell", "/bin/bash", "/bin/sh")},
		"more groups":          {User{Groups: []string{"sudo"}}, one("groups", "adm", "adm, sudo")},
		"exactly those groups": {User{Groups: []string{"sudo"}, GroupsExclusive: true}, one("groups", "adm", "sudo")},
		"no groups":            {User{GroupsExclusive: true}, one("groups", "adm", "")},
		"hash is not shown":    {User{PasswordHash: &otherHash}, one("password_hash", "(another hash)", "(hidden)")},
		"locked":               {User{Locked: &yes}, one("locked", "false", "true")},
		"expires":              {User{Expires: "never"}, one("expires", "2027-01-01", "never")},
		"absent":               {User{State: "absent"}, one("state", "present", "absent")},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.give.Name = "alice"
			if c.give.State == "" {
				c.give.State = "present"
			}
			if m := c.give.Validate(); len(m) > 0 {
				t.Fatalf("Validate(%+v) = %+v", c.give, m)
			}
			got, err := c.give.Check(t.Context(), accountRoot(t))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Check(%+v) (-want +got):\n%s", c.give, diff)
			}
		})
	}
}

func TestUserValidate(t *testing.T) {
	bad, huge, line := "secret", 1<<31, "a:b"
	cases := map[string]struct {
		give User
		want string
	}{
		"name":     {User{Name: "-x"}, "name"},
		"group":    {User{Name: "x", Group: "a b"}, "group"},
		"groups":   {User{Name: "x", Groups: []string{"a,b"}}, "groups"},
		"home":     {User{Name: "x", Home: "home"}, "home"},
		"shell":    {User{Name: "x", Shell: "/a:b"}, "shell"},
		"uid":      {User{Name: "x", UID: &huge}, "uid"},
		"password": {User{Name: "x", PasswordHash: &bad}, "password_hash"},
		"comment":  {User{Name: "x", Comment: &line}, "comment"},
		"expires":  {User{Name: "x", Expires: "31.1.2027"}, "expires"},
		"state":    {User{Name: "x", State: "gone"}, "state"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if c.give.State == "" {
				c.give.State = "present"
			}
			got := c.give.Validate()
			if len(got) != 1 || got[0].Attribute != c.want {
				t.Errorf("Validate(%+v) = %+v, want one mistake of %s", c.give, got, c.want)
			}
		})
	}
}

// No command line may hold the hash: every user of a host can read it.
func TestUserHashIsOnNoCommandLine(t *testing.T) {
	hash := testHash
	u := User{Name: "bob", State: "present", PasswordHash: &hash, Groups: []string{"adm"}}
	argv, err := u.useradd(accountRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	argv = append(argv, u.usermod(policies.Change{Attribute: "password_hash", After: hash})...)
	if slices.ContainsFunc(argv, func(a string) bool { return strings.Contains(a, hash) }) {
		t.Errorf("argv = %q, want the hash nowhere", argv)
	}
}

func needsShadowTools(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: useradd changes into the root folder")
	}
	if _, err := exec.LookPath("useradd"); err != nil {
		t.Skipf("needs useradd: %v", err)
	}
}

func accountFile(t *testing.T, sys *system.System, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(sys.Root, "etc", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestAccountsBelowRoot(t *testing.T) {
	needsShadowTools(t)
	accountScenario(t, accountRoot(t))
}

func TestAccountsOnRealHost(t *testing.T) {
	if !inCopy(t, "useradd") {
		return
	}
	accountScenario(t, copyHost(t))
}

func accountScenario(t *testing.T, sys *system.System) {
	t.Helper()
	yes, no, gid, uid := true, false, 5000, 6000
	hash, comment := testHash, "Robert: no"
	comment = strings.ReplaceAll(comment, ":", "")
	converge(t, sys, &Group{Name: "web", State: "present", GID: &gid})
	converge(t, sys, &User{Name: "bob", State: "present", UID: &uid, Group: "web", Groups: []string{"adm", "sudo"}, Comment: &comment,
		Shell: "/bin/sh", PasswordHash: &hash, Locked: &yes, Expires: "2027-05-01"})
	if got := accountFile(t, sys, "shadow"); !strings.Contains(got, "bob:!"+hash+":") {
		t.Errorf("shadow = %q, want bob's hash with a lock before it", got)
	}
	if info, err := os.Stat(filepath.Join(sys.Root, "home/bob")); err != nil || !info.IsDir() {
		t.Errorf("bob has no home: %v", err)
	}
	newHash := testHash + "2"
	converge(t, sys, &User{Name: "bob", State: "present", PasswordHash: &newHash}) // stays locked
	if got := accountFile(t, sys, "shadow"); !strings.Contains(got, "bob:!"+newHash+":") {
		t.Errorf("shadow = %q, want the new hash still locked", got)
	}
	converge(t, sys, &User{Name: "bob", State: "present", Locked: &no, Expires: "never", Groups: []string{"adm"}, GroupsExclusive: true})
	if got := accountFile(t, sys, "shadow"); !strings.Contains(got, "bob:"+newHash+":") {
		t.Errorf("shadow = %q, want bob open", got)
	}
	converge(t, sys, &User{Name: "bob", State: "present", Home: "/home/robert"})
	if _, err := os.Stat(filepath.Join(sys.Root, "home/robert")); err != nil {
		t.Errorf("the home did not move: %v", err)
	}
	converge(t, sys, &User{Name: "bob", State: "present", GroupsExclusive: true})
	converge(t, sys, &Group{Name: "staffers", State: "present", Members: []string{"bob", "root"}, System: true})
	converge(t, sys, &Group{Name: "staffers", State: "present", Members: []string{"bob"}, MembersExclusive: true})
	converge(t, sys, &Group{Name: "staffers", State: "present", MembersExclusive: true})
	converge(t, sys, &Group{Name: "bot", State: "present"})
	converge(t, sys, &User{Name: "bot", State: "present", System: true}) // the group is there before
	gid = 5500
	converge(t, sys, &Group{Name: "web", State: "present", GID: &gid})
	converge(t, sys, &User{Name: "bob", State: "absent"})
	converge(t, sys, &Group{Name: "web", State: "absent"})
	lock := filepath.Join(sys.Root, "etc/passwd.lock")
	if err := os.WriteFile(lock, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&User{Name: "eve", State: "present"}).Apply(t.Context(), sys, nil); !errors.Is(err, ErrWait) {
		t.Errorf("Apply() while the tables are locked = %v, want ErrWait", err)
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	refused(t, sys, &User{Name: "eve", State: "present", Group: "nowhere"}, "nowhere")
}

func TestGroupCheck(t *testing.T) {
	gid, other := 4, 5
	one := func(attribute, before, after string) []policies.Change {
		return []policies.Change{{Attribute: attribute, Before: before, After: after}}
	}
	cases := map[string]struct {
		give Group
		want []policies.Change
	}{
		"in order":          {Group{Name: "adm", State: "present", GID: &gid, Members: []string{"alice"}, MembersExclusive: true}, nil},
		"primary is member": {Group{Name: "alice", State: "present", Members: []string{"alice"}}, nil},
		"gid":               {Group{Name: "adm", State: "present", GID: &other}, one("gid", "4", "5")},
		"more members":      {Group{Name: "adm", State: "present", Members: []string{"root"}}, one("members", "alice", "alice, root")},
		"nobody":            {Group{Name: "adm", State: "present", MembersExclusive: true}, one("members", "alice", "")},
		"missing":           {Group{Name: "web", State: "present"}, one("state", "absent", "present")},
		"absent":            {Group{Name: "adm", State: "absent"}, one("state", "present", "absent")},
		"is absent":         {Group{Name: "web", State: "absent"}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := c.give.Check(t.Context(), accountRoot(t))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Check(%+v) (-want +got):\n%s", c.give, diff)
			}
		})
	}
}
