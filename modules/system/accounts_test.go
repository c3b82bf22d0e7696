package system

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFindAccounts(t *testing.T) {
	s := rooted(t, map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/bash\n+nis::::::\n#bob:x:1:1::/:/bin/sh\nbob:x:1001:1001:B,,,:/home/bob:/bin/sh\nshort:x:1\n",
		"etc/group":  "root:x:0:\nadm:x:4:bob,,alice\n",
		"etc/shadow": "root:*:19000:0:99999:7:::\nbob:!$6$a$b:19000:0:99999:7::0:\n",
	})
	user, ok, err := s.FindUser("bob")
	if want := (User{"bob", 1001, 1001, "B,,,", "/home/bob", "/bin/sh"}); err != nil || !ok || user != want {
		t.Errorf("FindUser(bob) = %+v, %t, %v, want %+v", user, ok, err, want)
	}
	group, ok, err := s.FindGroup("adm")
	if diff := cmp.Diff(Group{"adm", 4, []string{"bob", "alice"}}, group); err != nil || !ok || diff != "" {
		t.Errorf("FindGroup(adm) %t, %v (-want +got):\n%s", ok, err, diff)
	}
	shadow, ok, err := s.FindShadow("bob")
	if want := (Shadow{"bob", "!$6$a$b", "1970-01-01"}); err != nil || !ok || shadow != want || !shadow.Locked() {
		t.Errorf("FindShadow(bob) = %+v, %t, %v, want %+v", shadow, ok, err, want)
	}
	if _, ok, err := s.FindUser("short"); ok || err != nil {
		t.Errorf("FindUser(short) = %t, %v, want nobody", ok, err)
	}
	if _, ok, err := rooted(t, nil).FindUser("root"); ok || err != nil {
		t.Errorf("FindUser() without a table = %t, %v, want nobody", ok, err)
	}
}

func FuzzAccountLines(f *testing.F) {
	f.Add("root:x:0:0:root:/root:/bin/bash")
	f.Add("adm:x:4:a,b,,")
	f.Add("bob:!:19000:0:99999:7::99999999999:")
	f.Add("::::::::")
	f.Fuzz(func(t *testing.T, line string) {
		if u, ok := parseUser(line); ok && (u.Name == "" || u.UID < 0 || u.GID < 0) {
			t.Errorf("parseUser(%q) = %+v", line, u)
		}
		if g, ok := parseGroup(line); ok && (g.Name == "" || g.GID < 0) {
			t.Errorf("parseGroup(%q) = %+v", line, g)
		}
		if s, ok := parseShadow(line); ok && strings.Contains(s.Expires, "-0001") {
			t.Errorf("parseShadow(%q) = %+v", line, s)
		}
	})
}
