package system

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSimulation(t *testing.T) {
	out := recorded(t, "apt/install.txt") +
		"Inst libc6:i386 [2.36-9] (2.36-10 Debian:12/stable, Own:x [i386]) []\nInst own:amd64 (1.0 [amd64])\nInst odd (\nConf own (1.0)\nPurg gone [1]\n"
	got := parseSimulation(out, "amd64")
	want := "base-files=12.4+deb12u15 bash=5.2.15-2+b13 libc6:i386=2.36-10 login=1:4.13+dfsg1-1+deb12u2 nginx=1.22.1-9+deb12u11 nginx-common=1.22.1-9+deb12u11 own=1.0"
	if listOf(got.install) != want || strings.Join(got.remove, " ") != "gone openssh-server" {
		t.Errorf("parseSimulation = %q, removed %q", listOf(got.install), got.remove)
	}
	for _, one := range got.install {
		if one.Name == "libc6:i386" && one.Arch != "i386" || one.Name == "nginx-common" && one.Arch != "all" {
			t.Errorf("the architecture of %s is %q", one.Name, one.Arch)
		}
	}
}

func TestParseRelations(t *testing.T) {
	got := parseRelations("libc6 (>= 2.36), a|b:any ( << 1:2~ ) , virtual(=3), , x [amd64] <!nocheck>")
	want := [][]debAtom{{{name: "libc6", op: ">=", version: "2.36"}}, {{name: "a"}, {name: "b", op: "<<", version: "1:2~", any: true}},
		{{name: "virtual", op: "=", version: "3"}}, {{name: "x"}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(debAtom{})); diff != "" {
		t.Errorf("parseRelations (-want +got):\n%s", diff)
	}
	cases := map[string]bool{"<< 2": true, "<= 1.5": true, "= 1.5": true, "= 1.50": false, ">= 1.5": true, ">> 1.5": false, "< 1.5": true, "> 1.5": true, "": true, "~ 1": false, ">= latest": false}
	for text, want := range cases {
		if atom, _ := parseAtom("x (" + text + ")"); atom.takes("1.5") != want {
			t.Errorf("(%s) takes 1.5 = %t, want %t", text, !want, want)
		}
	}
}

func TestParseDpkgFailures(t *testing.T) {
	versions := func(name string) string { return map[string]string{"broken": "1.1"}[name] }
	cases := map[string]struct {
		stderr string
		want   []string
	}{
		"postinst": {"id: 'nobody2': no such user\ndpkg: error processing package broken (--configure):\n installed broken package post-installation script subprocess returned error exit status 1\nErrors were encountered while processing:\n broken\n",
			[]string{"postinst of broken 1.1 failed (exit 1): id: 'nobody2': no such user"}},
		"preinst": {"dpkg: error processing archive /var/cache/x/other_2_all.deb (--unpack):\n new other package pre-installation script subprocess was killed by signal (Killed)\n",
			[]string{"preinst of other failed (killed by signal (Killed))"}},
		"no script": {"dpkg: error processing package app (--configure):\n dependency problems - leaving unconfigured\n", nil},
		"nothing":   {"", nil},
	}
	for name, c := range cases {
		if diff := cmp.Diff(c.want, parseDpkgFailures(c.stderr, versions)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestParseNeedrestart(t *testing.T) {
	cases := map[string]struct {
		out  string
		want Aftermath
		ok   bool
	}{
		"kernel": {"NEEDRESTART-VER: 3.6\nNEEDRESTART-KCUR: 6.1.0-55-amd64\nNEEDRESTART-KEXP: 6.1.0-56-amd64\nNEEDRESTART-KSTA: 3\n",
			Aftermath{Reboot: []string{"the kernel 6.1.0-55-amd64 runs, 6.1.0-56-amd64 is installed"}}, true},
		"build": {"NEEDRESTART-VER: 3.6\nNEEDRESTART-KCUR: 6.1.0-55-amd64\nNEEDRESTART-KSTA: 2\n",
			Aftermath{Reboot: []string{"the kernel 6.1.0-55-amd64 was built anew"}}, true},
		"services": {"NEEDRESTART-VER: 3.6\nNEEDRESTART-KSTA: 1\nNEEDRESTART-SVC: ssh.service\nNEEDRESTART-SVC: cron.service\nNEEDRESTART-SVC: ssh.service\nNEEDRESTART-CONT: LXC web1\nNEEDRESTART-SESS: root @ session #28017\n",
			Aftermath{Services: []string{"cron.service", "ssh.service"}}, true},
		"unknown": {"NEEDRESTART-VER: 3.6\nNEEDRESTART-KSTA: 0\n", Aftermath{}, true},
		"failed":  {"Can't locate Locale/TextDomain.pm in @INC\n", Aftermath{}, false},
	}
	for name, c := range cases {
		got, ok := parseNeedrestart(c.out)
		if diff := cmp.Diff(c.want, got); diff != "" || ok != c.ok {
			t.Errorf("%s: %t (-want +got):\n%s", name, ok, diff)
		}
	}
}

func TestCgroupService(t *testing.T) {
	cases := map[string]string{
		"0::/system.slice/ssh.service":                                       "ssh.service",
		"0::/system.slice/system-getty.slice/getty@tty1.service":             "getty@tty1.service",
		"0::/system.slice/docker.service/inner":                              "docker.service",
		"12:pids:/x\n1:name=systemd:/system.slice/cron.service\n0::/ignored": "cron.service",
		"0::/user.slice/user-0.slice/user@0.service/app.slice/x.service":     "",
		"0::/user.slice/user-0.slice/session-3.scope":                        "",
		"0::/machine.slice/machine-web.scope/payload/system.slice/a.service": "",
		"0::/init.scope": "", "0::/": "", "": "", "0": "",
	}
	for text, want := range cases {
		if got := cgroupService(text + "\n"); got != want {
			t.Errorf("cgroupService(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestMapsReplaced(t *testing.T) {
	cases := map[string]struct {
		line string
		want bool
	}{
		"library":      {"7f1c-7f2d r-xp 00001000 08:01 1234   /usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)", true},
		"still there":  {"7f1c-7f2d r-xp 00001000 08:01 1234   /usr/lib/x86_64-linux-gnu/libssl.so.3", false},
		"only data":    {"7f1c-7f2d r--p 00001000 08:01 1234   /usr/share/locale/x.mo (deleted)", false},
		"own programs": {"7f1c-7f2d r-xp 00001000 08:01 1234   /usr/local/bin/x (deleted)", false},
		"memory":       {"7f1c-7f2d r-xp 00001000 00:05 1234   /memfd:jit (deleted)", false},
		"old place":    {"7f1c-7f2d r-xp 00001000 08:01 1234   /lib/x86_64-linux-gnu/libc.so.6 (deleted)", true},
		"no name":      {"7f1c-7f2d rw-p 00000000 00:00 0", false},
	}
	for name, c := range cases {
		if got := mapsReplaced(strings.NewReader(c.line + "\n")); got != c.want {
			t.Errorf("%s: mapsReplaced = %t, want %t", name, got, c.want)
		}
	}
}

func TestKernelsOf(t *testing.T) {
	db := &Dpkg{Arch: "amd64", packages: map[string][]Package{}}
	for _, name := range []string{"linux-image-6.1.0-9-amd64", "linux-image-6.1.0-55-amd64", "linux-image-6.1.0-56-amd64-unsigned", "linux-image-6.1.0-12-cloud-amd64",
		"linux-image-amd64", "linux-image-6.1.0-56-amd64-dbg", "linux-headers-6.1.0-56-amd64"} {
		db.add(Package{Name: name, Version: "1", Arch: "amd64", Want: "install", Flag: "ok", Status: "installed"})
	}
	db.add(Package{Name: "linux-image-7.0.0-1-amd64", Arch: "amd64", Want: "deinstall", Flag: "ok", Status: "config-files"})
	kernels := kernelsOf(db, "6.1.0-55-amd64")
	want := []Kernel{
		{Package: "linux-image-6.1.0-12-cloud-amd64", Release: "6.1.0-12-cloud-amd64", Newest: true},
		{Package: "linux-image-6.1.0-55-amd64", Release: "6.1.0-55-amd64", Running: true},
		{Package: "linux-image-6.1.0-56-amd64-unsigned", Release: "6.1.0-56-amd64", Newest: true},
		{Package: "linux-image-6.1.0-9-amd64", Release: "6.1.0-9-amd64"},
	}
	if diff := cmp.Diff(want, kernels); diff != "" {
		t.Errorf("kernelsOf (-want +got):\n%s", diff)
	}
	if got := staleKernel(kernels); len(got) != 1 || got[0] != "the kernel 6.1.0-55-amd64 runs, 6.1.0-56-amd64 is installed" {
		t.Errorf("staleKernel = %q", got)
	}
	if got := staleKernel(kernelsOf(db, "6.1.0-56-amd64")); got != nil {
		t.Errorf("staleKernel of the newest = %q", got)
	}
}

func FuzzAptManager(f *testing.F) {
	f.Add(recorded(f, "apt/install.txt"))
	f.Add(recorded(f, "dpkg-status"))
	f.Add("Inst a:amd64 [1] (2 X [amd64]) []\nRemv b [1]\nInst (\nInst : ( )\n")
	f.Add("The following packages have unmet dependencies:\n app : Depends: lib (>= 2) but 1 is to be installed\n       Breaks: x\nE: no\n")
	f.Add("it broke\ndpkg: error processing package x (--configure):\n installed x package post-installation script subprocess returned error exit status 1\n")
	f.Add("2026-11-21 10:00:00 upgrade app:amd64 1.0 1.1\n2026-11-21 10:00:00 install b:all <none> 2\n")
	f.Add("Package: a\nVersion: 1\nDepends: b (>= 1) | c, d:any (<< 2)\nProvides: v (= 3)\nBreaks: a (<< 1)\nConffiles:\n /etc/a b 0123456789abcdef0123456789abcdef obsolete\n")
	f.Add("NEEDRESTART-VER: 3\nNEEDRESTART-KSTA: 3\nNEEDRESTART-SVC: a\n")
	f.Add("/etc/a\nremove-on-upgrade /etc/b\n0::/system.slice/a.service\n7f-7f r-xp 0 0 0 /usr/lib/x (deleted)\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, one := range parseSimulation(text, "amd64").install {
			if one.bare() == "" || one.Version == "" || strings.ContainsAny(one.spec(), " \n") {
				t.Errorf("parseSimulation gave %+v", one)
			}
		}
		parseUnmet(text)
		parseDpkgFailures(text, func(string) string { return "" })
		for key, version := range parseDpkgLog(text) {
			if version == "" || key.arch == "" && key.name == "" {
				t.Errorf("parseDpkgLog gave %v %q", key, version)
			}
		}
		var records []*debRecord
		_ = scanRecords(strings.NewReader(text), func(r *debRecord) { records = append(records, r) })
		graph := newAptGraph(records, records)
		count := 0
		for _, step := range graph.steps() {
			count += len(step)
		}
		if count != len(graph.order) {
			t.Errorf("%d changes came out as %d", len(graph.order), count)
		}
		sums := map[string]string{}
		scanConffiles([]byte(text), sums)
		parseConffileList(text)
		parseNeedrestart(text)
		if unit := cgroupService(text); unit != "" && !strings.HasSuffix(unit, ".service") {
			t.Errorf("cgroupService gave %q", unit)
		}
		mapsReplaced(bytes.NewReader([]byte(text)))
		kernelRelease(text)
		splitRelease(text)
	})
}
