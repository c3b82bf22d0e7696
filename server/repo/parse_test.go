package repo

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	hashA = "1111111111111111111111111111111111111111"
	hashB = "2222222222222222222222222222222222222222"
)

func TestParseUpdates(t *testing.T) {
	cases := map[string]struct {
		in   string
		want []Update
		bad  bool
	}{
		"none":        {in: ""},
		"one":         {in: hashA + " " + hashB + " refs/heads/main\n", want: []Update{{hashA, hashB, Main}}},
		"new and old": {in: Zero + " " + hashB + " refs/tags/release/1\n" + hashA + " " + Zero + " refs/heads/x\n", want: []Update{{Zero, hashB, "refs/tags/release/1"}, {hashA, Zero, "refs/heads/x"}}},
		"short hash":  {in: "11 " + hashB + " refs/heads/main\n", bad: true},
		"no ref":      {in: hashA + " " + hashB + "\n", bad: true},
		"not in refs": {in: hashA + " " + hashB + " HEAD\n", bad: true},
		"control":     {in: hashA + " " + hashB + " refs/heads/a\x1b[2J\n", bad: true},
		"long":        {in: hashA + " " + hashB + " refs/heads/" + strings.Repeat("a", 600) + "\n", bad: true},
		"too many":    {in: strings.Repeat(hashA+" "+hashB+" refs/heads/main\n", MaxUpdates+1), bad: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ParseUpdates(strings.NewReader(c.in))
			if (err != nil) != c.bad {
				t.Fatalf("ParseUpdates() error = %v, want one: %v", err, c.bad)
			}
			if diff := cmp.Diff(c.want, got); !c.bad && diff != "" {
				t.Errorf("ParseUpdates() differs (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseUpdates(f *testing.F) {
	f.Add([]byte(hashA + " " + hashB + " refs/heads/main\n"))
	f.Add([]byte(Zero + " " + hashB + " refs/tags/release/1"))
	f.Add([]byte("\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		list, err := ParseUpdates(bytes.NewReader(in))
		if err != nil {
			return
		}
		for _, u := range list {
			if !hashForm.MatchString(u.Old) || !hashForm.MatchString(u.New) || !strings.HasPrefix(u.Ref, "refs/") || strings.ContainsAny(u.Ref, " \n\x00\x1b") {
				t.Errorf("ParseUpdates(%q) let %+v through", in, u)
			}
		}
	})
}

func TestCheckUpstream(t *testing.T) {
	good := map[string]string{
		"/srv/git/policy.git":                        "file",
		"file:///srv/git/policy.git":                 "file",
		"https://git.example.com/team/policy.git":    "https",
		"https://git.example.com:8443/team/policy":   "https",
		"ssh://git@git.example.com:7022/policy":      "ssh",
		"ssh://git@[2001:db8::1]:22/policy":          "ssh",
		"git@git.example.com:team/policy.git":        "ssh",
		"ssh://git.example.com/~team/policy":         "ssh",
		"https://git.example.com/a%20b":              "https",
		"https://git.example.com/team/my_policy-1.x": "https",
	}
	for in, want := range good {
		if got, err := CheckUpstream(in); err != nil || got != want {
			t.Errorf("CheckUpstream(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for name, in := range hostileURLs {
		if got, err := CheckUpstream(in); err == nil {
			t.Errorf("%s: CheckUpstream(%q) = %q, want an error", name, in, got)
		}
	}
}

var hostileURLs = map[string]string{
	"empty":              "",
	"relative":           "policy.git",
	"option":             "--upload-pack=touch /tmp/owned",
	"short option":       "-u./x",
	"ext":                "ext::sh -c touch% /tmp/owned",
	"ext upper":          "EXT::sh",
	"fd":                 "fd::17",
	"transport helper":   "https::https://x/y",
	"http":               "http://git.example.com/policy",
	"git":                "git://git.example.com/policy",
	"upper":              "HTTPS://git.example.com/policy",
	"ssh option host":    "ssh://-oProxyCommand=touch%20x/policy",
	"ssh option user":    "ssh://-oProxyCommand=x@host/policy",
	"scp option host":    "git@-oProxyCommand=x:policy",
	"scp option user":    "-oProxyCommand=x@host:policy",
	"scp option path":    "git@host:-x",
	"path option":        "ssh://git@host/-x",
	"password":           "https://user:secret@host/policy",
	"https user":         "https://user@host/policy",
	"query":              "https://host/policy?x=1",
	"fragment":           "https://host/policy#x",
	"no host":            "https:///policy",
	"file host":          "file://host/policy",
	"climb":              "/srv/../etc",
	"climb at end":       "https://host/a/..",
	"shell in path":      "ssh://git@host/$(id)",
	"backquote":          "git@host:`id`",
	"semicolon":          "git@host:a;id",
	"newline":            "https://host/a\nb",
	"control":            "/srv/\x1b[2J",
	"space":              "/srv/a b",
	"quote":              "git@host:'a'",
	"two at":             "a@b@host:x",
	"nul":                "/srv/\x00",
	"bundle of nothing":  "https://",
	"windows":            `C:\policy`,
	"percent in host":    "https://ho%73t/policy",
	"ipv6 with zone":     "ssh://git@[fe80::1%25eth0]/policy",
	"ipv6 with a dash":   "ssh://git@[-oProxyCommand]/policy",
	"empty fragment":     "https://host/policy#",
	"opaque":             "https:host/policy",
	"userinfo percent":   "ssh://%2doProxyCommand@host/policy",
	"backslash in path":  `https://host/a\b`,
	"unicode":            "https://hóst/policy",
	"dash after slashes": "/srv/-upload-pack",
}

func FuzzCheckUpstream(f *testing.F) {
	for _, in := range hostileURLs {
		f.Add(in)
	}
	f.Add("git@git.example.com:team/policy.git")
	f.Add("ssh://git@[2001:db8::1]:22/policy")
	f.Fuzz(func(t *testing.T, in string) {
		scheme, err := CheckUpstream(in)
		if err != nil {
			return
		}
		if strings.HasPrefix(in, "-") || strings.Contains(in, "::") && !strings.Contains(in, "[") || strings.ContainsAny(in, " \n\x00\x1b$`;'\"\\|&<>") || strings.Contains(in, "@-") || strings.Contains(in, "/-") {
			t.Errorf("CheckUpstream(%q) = %q, want an error", in, scheme)
		}
		if scheme != "file" && scheme != "https" && scheme != "ssh" {
			t.Errorf("CheckUpstream(%q) = %q", in, scheme)
		}
	})
}

func FuzzReadEntries(f *testing.F) {
	f.Add([]byte("100644 blob " + hashA + "      12\tfiles/motd\x00"))
	f.Add([]byte("120000 blob " + hashA + "       9\tlink\x00"))
	f.Add([]byte("160000 commit " + hashA + "       -\tsub\x00"))
	f.Add([]byte("100644 blob " + hashA + "       1\t../../etc/passwd\x00"))
	f.Add([]byte("100644 blob " + hashA + "       1\ta/.GIT/config\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		list, err := readEntries(bytes.NewReader(in))
		if err != nil {
			return
		}
		for _, e := range list {
			if checkPath(e.path) != nil || strings.HasPrefix(e.path, "/") || strings.Contains(e.path, "..") && strings.Contains("/"+e.path+"/", "/../") {
				t.Errorf("readEntries(%q) let %q through", in, e.path)
			}
		}
	})
}

func TestReleaseNumber(t *testing.T) {
	cases := map[string]uint64{"refs/tags/release/1": 1, "refs/tags/release/42": 42}
	for ref, want := range cases {
		if n, ok := ReleaseNumber(ref); !ok || n != want {
			t.Errorf("ReleaseNumber(%q) = %d, %v, want %d", ref, n, ok, want)
		}
	}
	for _, ref := range []string{"refs/tags/release/", "refs/tags/release/0", "refs/tags/release/01", "refs/tags/release/1a", "refs/tags/release/+1", "refs/tags/release/1/2", "refs/heads/release/1", "refs/tags/release/99999999999999999999"} {
		if n, ok := ReleaseNumber(ref); ok {
			t.Errorf("ReleaseNumber(%q) = %d, want none", ref, n)
		}
	}
}
