package system

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSSHD(t *testing.T) {
	got := parseSSHD(recorded(t, "sshd/effective.txt"))
	for keyword, want := range map[string][]string{
		"permitrootlogin": {"without-password"}, "maxauthtries": {"6"}, "allowusers": {"alice", "bob"}, "acceptenv": {"LANG", "LC_*"},
		"subsystem": {"sftp /usr/lib/openssh/sftp-server"}, "denyusers": nil,
	} {
		if diff := cmp.Diff(want, got[keyword]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", keyword, diff)
		}
	}
}

func TestSSHDSettings(t *testing.T) {
	s := rooted(t, map[string]string{
		"etc/ssh/sshd_config":           "# comment\nInclude /etc/ssh/sshd_config.d/*.conf extra.conf\nPort=22\nMatch User bob\n  X11Forwarding no\nMatch all\nUsePAM\tyes\n",
		"etc/ssh/sshd_config.d/b.conf":  "PermitRootLogin no\nMatch Group x\n  PermitTTY no\n",
		"etc/ssh/sshd_config.d/a.conf":  "\nPermitRootLogin = yes\n",
		"etc/ssh/sshd_config.d/.c.conf": "PermitRootLogin hidden\n",
		"etc/ssh/extra.conf":            "Include /etc/ssh/extra.conf.none\nBanner none\n",
	})
	got, digest, err := s.SSHDSettings()
	if err != nil {
		t.Fatal(err)
	}
	const d = "/etc/ssh/sshd_config.d/"
	want := []SSHDSetting{
		{"permitrootlogin", "yes", d + "a.conf", 2, ""}, {"permitrootlogin", "no", d + "b.conf", 1, ""},
		{"permittty", "no", d + "b.conf", 3, "Group x"}, {"banner", "none", "/etc/ssh/extra.conf", 2, ""},
		{"port", "22", SSHDConfig, 3, ""}, {"x11forwarding", "no", SSHDConfig, 5, "User bob"}, {"usepam", "yes", SSHDConfig, 7, ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("SSHDSettings() (-want +got):\n%s", diff)
	}
	again, sameDigest, err := s.SSHDSettings()
	if err != nil || sameDigest != digest || len(again) != len(got) {
		t.Errorf("a second look has the digest %s, want %s (%v)", sameDigest, digest, err)
	}
}

func TestSSHDSettingsLoop(t *testing.T) {
	s := rooted(t, map[string]string{"etc/ssh/sshd_config": "Include sshd_config\nInclude sshd_config\n"})
	if _, _, err := s.SSHDSettings(); err == nil {
		t.Error("SSHDSettings() of a file that includes itself = nil, want an error")
	}
}

func FuzzSSHD(f *testing.F) {
	f.Add(recorded(f, "sshd/effective.txt"))
	f.Add("Match\nInclude\n=\nPort=\n \tX = y\nMatch all\n")
	f.Fuzz(func(t *testing.T, text string) {
		for keyword, values := range parseSSHD(text) {
			if keyword == "" || len(values) == 0 || keyword != strings.ToLower(keyword) {
				t.Errorf("parseSSHD gave %q %q", keyword, values)
			}
		}
		for _, one := range parseSSHDConfig("x", "", text) {
			if one.Line < 1 || one.Keyword == "match" || strings.ContainsAny(one.Keyword, " \t=") {
				t.Errorf("parseSSHDConfig gave %+v", one)
			}
		}
	})
}
