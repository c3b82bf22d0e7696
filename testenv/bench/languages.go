package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// allFiles are those whose whole content is managed.
func (w *work) allFiles() []file { return slices.Concat(w.items.Files, w.items.Crons) }

func save(dir, name, text string) (string, error) {
	path := filepath.Join(dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// writeCFEngine writes one bundle. Settings of the kernel are read as what they are, files.
func writeCFEngine(w *work, dir string) ([]string, error) {
	var b strings.Builder
	b.WriteString("body common control { bundlesequence => { \"main\" }; }\n" +
		"body perms p(m) { mode => \"$(m)\"; owners => { \"root\" }; }\n" +
		"bundle edit_line line(l) { insert_lines: \"$(l)\"; }\n" +
		"body file control { inputs => { }; }\nbundle agent main\n{\nfiles:\n")
	for _, f := range w.allFiles() {
		fmt.Fprintf(&b, "  %q create => \"true\", content => %s, perms => p(\"%o\");\n", f.Path, cfText(f.Content), f.Mode)
	}
	for _, l := range w.items.Lines {
		fmt.Fprintf(&b, "  %q create => \"false\", edit_line => line(%q);\n", l.Key, l.Value)
	}
	cfRest(&b, w)
	b.WriteString("}\n" + cfPackages)
	path, err := save(dir, "work.cf", b.String())
	return []string{"cf-agent", "--no-lock", "--file", path}, err
}

// cfPackages asks dpkg once for all packages.
const cfPackages = `body package_method dpkg_list
{
  package_changes => "individual";
  package_list_command => "/usr/bin/dpkg-query -W --showformat='ii ${Package} ${Version}\n'";
  package_list_name_regex => "ii\s+(\S+)\s+.*";
  package_list_version_regex => "ii\s+\S+\s+(\S+).*";
  package_installed_regex => "ii.*";
  package_name_convention => "$(name)";
  package_add_command => "/bin/false";
  package_delete_command => "/bin/false";
}
`

func cfRest(b *strings.Builder, w *work) {
	if len(w.items.Sysctls) > 0 {
		b.WriteString("classes:\n")
	}
	for i, s := range w.items.Sysctls {
		fmt.Fprintf(b, "  \"wrong%d\" not => strcmp(%q, readfile(\"/proc/sys/%s\", \"100\"));\n", i, s.Value, strings.ReplaceAll(s.Key, ".", "/"))
	}
	if len(w.items.Packages) > 0 {
		b.WriteString("packages:\n")
	}
	for _, p := range w.items.Packages {
		fmt.Fprintf(b, "  %q package_policy => \"add\", package_method => dpkg_list;\n", p)
	}
	if len(w.items.Users) > 0 {
		b.WriteString("users:\n")
	}
	for _, u := range w.items.Users {
		fmt.Fprintf(b, "  %q policy => \"present\", uid => \"%d\", shell => %q;\n", u.Name, u.ID, u.Shell)
	}
	if len(w.items.Groups) > 0 {
		b.WriteString("vars:\n")
	}
	for i, g := range w.items.Groups {
		fmt.Fprintf(b, "  \"g%d\" int => getgid(%q);\n", i, g.Name)
	}
	if len(w.items.Services) > 0 {
		b.WriteString("services:\n")
	}
	for _, s := range w.items.Services {
		fmt.Fprintf(b, "  %q service_policy => \"start\";\n", strings.TrimSuffix(s, ".service"))
	}
}

// cfText quotes a text in which lines end as they are.
func cfText(text string) string { return "\"" + strings.ReplaceAll(text, "\"", "\\\"") + "\"" }

func writePuppet(w *work, dir string) ([]string, error) {
	var b strings.Builder
	for _, f := range w.allFiles() {
		fmt.Fprintf(&b, "file { '%s': ensure => file, content => %q, owner => 'root', mode => '%04o' }\n", f.Path, f.Content, f.Mode)
	}
	for _, p := range w.items.Packages {
		fmt.Fprintf(&b, "package { '%s': ensure => installed }\n", p)
	}
	for _, u := range w.items.Users {
		fmt.Fprintf(&b, "user { '%s': ensure => present, uid => %d, shell => '%s' }\n", u.Name, u.ID, u.Shell)
	}
	for _, g := range w.items.Groups {
		fmt.Fprintf(&b, "group { '%s': ensure => present, gid => %d }\n", g.Name, g.ID)
	}
	for _, s := range w.items.Sysctls {
		fmt.Fprintf(&b, "exec { 'sysctl %s': command => '/bin/false', unless => \"/bin/sh -c 'test \\\"$(cat /proc/sys/%s)\\\" = \\\"%s\\\"'\" }\n", s.Key, strings.ReplaceAll(s.Key, ".", "/"), s.Value)
	}
	for _, l := range w.items.Lines {
		fmt.Fprintf(&b, "exec { 'line %s': command => '/bin/false', unless => '/bin/grep -qx \"%s\" %s' }\n", l.Key, l.Value, l.Key)
	}
	for _, s := range w.items.Services {
		fmt.Fprintf(&b, "service { '%s': ensure => running }\n", s)
	}
	path, err := save(dir, "work.pp", strings.ReplaceAll(b.String(), "$(cat", "\\$(cat"))
	return []string{"puppet", "apply", "--noop", "--vardir", filepath.Join(dir, "var"), "--confdir", filepath.Join(dir, "conf"), path}, err
}

// writeAnsible loops over the files, as there is no module for many different ones.
func writeAnsible(w *work, dir string) ([]string, error) {
	var b strings.Builder
	b.WriteString("- hosts: localhost\n  gather_facts: false\n  tasks:\n")
	for _, f := range w.allFiles() {
		fmt.Fprintf(&b, "  - copy: {dest: %q, content: %q, owner: root, mode: '%04o'}\n", f.Path, f.Content, f.Mode)
	}
	if len(w.items.Packages) > 0 {
		fmt.Fprintf(&b, "  - package: {name: [%s], state: present}\n", quoted(w.items.Packages))
	}
	for _, u := range w.items.Users {
		fmt.Fprintf(&b, "  - user: {name: %q, uid: %d, shell: %q}\n", u.Name, u.ID, u.Shell)
	}
	for _, g := range w.items.Groups {
		fmt.Fprintf(&b, "  - group: {name: %q, gid: %d}\n", g.Name, g.ID)
	}
	for _, s := range w.items.Sysctls {
		fmt.Fprintf(&b, "  - command: cat /proc/sys/%s\n    register: r\n    changed_when: false\n    failed_when: r.stdout != %q\n", strings.ReplaceAll(s.Key, ".", "/"), s.Value)
	}
	for _, l := range w.items.Lines {
		fmt.Fprintf(&b, "  - lineinfile: {path: %q, line: %q}\n", l.Key, l.Value)
	}
	for _, s := range w.items.Services {
		fmt.Fprintf(&b, "  - service: {name: %q, state: started}\n", s)
	}
	path, err := save(dir, "work.yml", b.String())
	return []string{"ansible-playbook", "-i", "localhost,", "-c", "local", "--check", path}, err
}

func writeGoss(w *work, dir string) ([]string, error) {
	var b strings.Builder
	section := func(name string, n int) {
		if n > 0 {
			b.WriteString(name + ":\n")
		}
	}
	section("file", len(w.allFiles())+len(w.items.Lines))
	for _, f := range w.allFiles() {
		fmt.Fprintf(&b, "  %s:\n    exists: true\n    owner: root\n    mode: \"%04o\"\n    sha256: %x\n", f.Path, f.Mode, sha256.Sum256([]byte(f.Content)))
	}
	for _, l := range w.items.Lines {
		fmt.Fprintf(&b, "  %s:\n    exists: true\n    contents: [%q]\n", l.Key, l.Value)
	}
	section("package", len(w.items.Packages))
	for _, p := range w.items.Packages {
		fmt.Fprintf(&b, "  %s:\n    installed: true\n", p)
	}
	section("user", len(w.items.Users))
	for _, u := range w.items.Users {
		fmt.Fprintf(&b, "  %s:\n    exists: true\n    uid: %d\n    shell: %s\n", u.Name, u.ID, u.Shell)
	}
	section("group", len(w.items.Groups))
	for _, g := range w.items.Groups {
		fmt.Fprintf(&b, "  %s:\n    exists: true\n    gid: %d\n", g.Name, g.ID)
	}
	section("kernel-param", len(w.items.Sysctls))
	for _, s := range w.items.Sysctls {
		fmt.Fprintf(&b, "  %s:\n    value: %q\n", s.Key, s.Value)
	}
	section("service", len(w.items.Services))
	for _, s := range w.items.Services {
		fmt.Fprintf(&b, "  %s:\n    running: true\n", strings.TrimSuffix(s, ".service"))
	}
	path, err := save(dir, "goss.yaml", b.String())
	return []string{"goss", "--gossfile", path, "validate", "--format", "silent"}, err
}
