package main

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// pick takes what this host has: it is in order before anybody looks.
func (w *work) pick() error {
	var err error
	if w.items.Packages, err = installed(w.packages); err != nil {
		return err
	}
	if w.items.Users, err = accounts("/etc/passwd", w.users); err != nil {
		return err
	}
	if w.items.Groups, err = accounts("/etc/group", w.groups); err != nil {
		return err
	}
	if w.items.Sysctls, err = settings(w.sysctls); err != nil {
		return err
	}
	if w.services == 0 {
		return nil
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		w.left = fmt.Sprintf("; %d services are left out, because systemd does not run here", w.services)
		return nil
	}
	w.items.Services, err = services(w.services)
	return err
}

func installed(n int) ([]string, error) {
	if n == 0 {
		return nil, nil
	}
	out, err := exec.Command("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Multi-Arch}\n").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list the packages: %w", err)
	}
	var list []string
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(list) < n && len(words) >= 2 && words[0] == "installed" && (len(words) == 2 || words[2] != "same") {
			list = append(list, words[1])
		}
	}
	if len(list) < n {
		return nil, fmt.Errorf("only %d packages are installed here, %d are needed", len(list), n)
	}
	return list, nil
}

func accounts(table string, most int) ([]account, error) {
	f, err := os.Open(table)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []account
	for lines := bufio.NewScanner(f); lines.Scan() && len(list) < most; {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 4 {
			continue
		}
		id, err := strconv.Atoi(fields[2])
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", table, err)
		}
		list = append(list, account{Name: fields[0], ID: id, Shell: fields[len(fields)-1]})
		if table == "/etc/group" {
			list[len(list)-1].Shell = ""
		}
	}
	return list, nil
}

// settings takes those of net.ipv4.conf.lo, which every kernel has.
func settings(most int) ([]value, error) {
	var list []value
	if most == 0 {
		return nil, nil
	}
	err := filepath.WalkDir("/proc/sys/net/ipv4/conf/lo", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || len(list) == most {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil // some can only be written
		}
		key := strings.ReplaceAll(strings.TrimPrefix(path, "/proc/sys/"), "/", ".")
		list = append(list, value{key, strings.TrimSpace(string(raw))})
		return nil
	})
	return list, err
}

// services takes units that run.
func services(most int) ([]string, error) {
	out, err := exec.Command("systemctl", "list-units", "--type=service", "--state=active", "--plain", "--no-legend", "--no-pager").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list the services: %w", err)
	}
	var list []string
	for line := range strings.Lines(string(out)) {
		if words := strings.Fields(line); len(words) > 0 && len(list) < most && !strings.Contains(words[0], "@") {
			list = append(list, words[0])
		}
	}
	return list, nil
}
