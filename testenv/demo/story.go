package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"plumb/testenv/ports"
)

func (s *stage) startServer() error {
	heading("1. A server, on SQLite, in " + s.dir)
	free, err := ports.Free(3)
	if err != nil {
		return err
	}
	s.ssh = free[2]
	args := []string{"server", "--data", s.path("server"), "--name", "127.0.0.1", "--listen", free[0], "--agent-listen", free[1], "--ssh-listen", free[2]}
	fmt.Println("   $ plumb " + strings.Join(args, " "))
	if err := s.start("server.log", filepath.Join(s.bin, "plumb"), args...); err != nil {
		return err
	}
	if err := s.until(20*time.Second, func() error { _, err := s.plumb("status"); return err }); err != nil {
		log, _ := os.ReadFile(s.path("server.log"))
		return fmt.Errorf("the server did not come up: %w\n%s", err, log)
	}
	return s.addAuthor()
}

func (s *stage) addAuthor() error {
	if _, err := s.must(s.dir, "ssh-keygen", []string{"-q", "-t", "ed25519", "-N", "", "-C", "demo", "-f", s.path("author")}); err != nil {
		return err
	}
	_, err := s.plumb("author", "add", "demo", s.path("author.pub"))
	return err
}

func (s *stage) makePolicy() error {
	heading("2. A policy repository with a baseline for Debian")
	if _, err := s.must(s.dir, filepath.Join(s.bin, "plumb"), []string{"init", s.path("policy")}); err != nil {
		return err
	}
	if err := s.prunePolicy(); err != nil {
		return err
	}
	if err := s.trustServer(); err != nil {
		return err
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"remote", "add", "origin", "ssh://git@" + s.ssh + "/policy"}} {
		if _, err := s.git(args...); err != nil {
			return err
		}
	}
	return s.commitAndPush("A baseline in audit mode, and three demo hosts")
}

// prunePolicy leaves out the examples that are there to learn from, and lets the baseline
// measure this machine only: the demo hosts are folders, of which it could tell little.
func (s *stage) prunePolicy() error {
	for _, example := range []string{"baseline", "ssh"} {
		if err := os.RemoveAll(s.path("policy", example)); err != nil {
			return err
		}
	}
	if err := s.edit("policy/baselines/cis_debian12.hcl", "applies_to = group.cis_debian12", "applies_to = group.cis_debian12 && !group.demo"); err != nil {
		return err
	}
	return s.writeFile("policy/demo.hcl", demoPolicy)
}

// trustServer writes the server's host key where ssh looks for it, as an administrator
// would hand it to authors.
func (s *stage) trustServer() error {
	o, err := s.must(s.dir, "ssh-keygen", []string{"-y", "-f", s.path("server", "keys", "ssh_host_ed25519_key")})
	if err != nil {
		return err
	}
	host, port, _ := strings.Cut(s.ssh, ":")
	return s.writeFile("known_hosts", fmt.Sprintf("[%s]:%s %s", host, port, o.out))
}

func (s *stage) writeFile(name, text string) error {
	return os.WriteFile(s.path(name), []byte(text), 0o644)
}

func (s *stage) commitAndPush(subject string) error {
	if err := s.commit(subject); err != nil {
		return err
	}
	fmt.Println("   $ git push origin main")
	o, err := s.git("push", "origin", "main")
	if err != nil {
		return err
	}
	printRemote(o.errs)
	return nil
}

func (s *stage) commit(subject string) error {
	if _, err := s.git("add", "--all"); err != nil {
		return err
	}
	_, err := s.git("commit", "-q", "-m", subject)
	return err
}

// printRemote shows what the server said during a push.
func printRemote(text string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\n "); strings.HasPrefix(line, "remote:") || strings.Contains(line, "rejected") {
			fmt.Println("   " + line)
		}
	}
}

var hosts = []string{"web1", "web2", "db1"}

func (s *stage) enroll(name string, labels ...string) error {
	args := []string{"token", "create", "--name", name}
	for _, l := range labels {
		args = append(args, "--label", l)
	}
	o, err := s.plumb(args...)
	if err != nil {
		return err
	}
	_, err = s.must(s.dir, filepath.Join(s.bin, "plumb-agent"), append([]string{"enroll", "--state", s.path("agents", name), "--name", name}, strings.TrimSpace(o.out)))
	return err
}

// agentRun makes one run of a host's agent. Exit code 2 says that something differs.
func (s *stage) agentRun(name string, more ...string) (outcome, error) {
	args := append([]string{"run", "--once", "--state", s.path("agents", name)}, more...)
	return s.must(s.dir, filepath.Join(s.bin, "plumb-agent"), args, 0, 2)
}

func (s *stage) measureThisMachine() error {
	heading("3. This very machine, measured against the baseline. Nothing on it is changed.")
	if err := s.enroll("this-machine"); err != nil {
		return err
	}
	fmt.Println("   $ plumb-agent run --once --audit")
	if _, err := s.agentRun("this-machine", "--audit"); err != nil {
		return err
	}
	var d detail
	if err := s.plumbJSON(&d, "host", "this-machine"); err != nil {
		return err
	}
	return printCompliance(d, time.Since(s.began))
}

func (s *stage) rollOut() error {
	heading("4. Three demo hosts: a good commit rolls out")
	for _, name := range hosts {
		if err := s.makeRoot(name); err != nil {
			return err
		}
		if err := s.enroll(name, "demo=yes"); err != nil {
			return err
		}
	}
	if err := s.edit("policy/demo.hcl", "motd_text = \"\"", "motd_text = \"Kept in plumb.\""); err != nil {
		return err
	}
	if err := s.commitAndPush("Greet people on the demo hosts"); err != nil {
		return err
	}
	for _, name := range hosts {
		o, err := s.agentRun(name, "--root", s.path("roots", name))
		if err != nil {
			return err
		}
		raw, err := os.ReadFile(s.path("roots", name, "etc/motd"))
		if err != nil || !strings.Contains(string(raw), "Kept in plumb.") {
			return fmt.Errorf("the commit did not reach %s: %q, %w\n%s%s", name, raw, err, o.out, o.errs)
		}
		fmt.Printf("   %-5s /etc/motd says %q\n", name, strings.TrimSpace(string(raw)))
	}
	return nil
}

// makeRoot makes a folder that looks like a small Debian host.
func (s *stage) makeRoot(name string) error {
	if err := os.MkdirAll(s.path("roots", name, "etc"), 0o755); err != nil {
		return err
	}
	return s.writeFile("roots/"+name+"/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nPRETTY_NAME=\"Debian GNU/Linux 12 (demo)\"\n")
}

func (s *stage) edit(name, old, new string) error {
	raw, err := os.ReadFile(s.path(name))
	if err != nil {
		return err
	}
	if strings.Count(string(raw), old) != 1 {
		return fmt.Errorf("%s does not have %q once", name, old)
	}
	return s.writeFile(name, strings.Replace(string(raw), old, new, 1))
}

func (s *stage) tamper() error {
	heading("5. Somebody tampers with web2; its next run mends the file")
	motd := s.path("roots", "web2", "etc/motd")
	fmt.Println("   $ echo 'I was here' > /etc/motd       # on web2")
	if err := os.WriteFile(motd, []byte("I was here\n"), 0o644); err != nil {
		return err
	}
	if _, err := s.agentRun("web2", "--root", s.path("roots", "web2")); err != nil {
		return err
	}
	if raw, err := os.ReadFile(motd); err != nil || !strings.Contains(string(raw), "Kept in plumb.") {
		return fmt.Errorf("the file was not mended: %q, %w", raw, err)
	}
	var d drift
	if err := s.plumbJSON(&d, "drift"); err != nil {
		return err
	}
	for _, e := range d.Repairs {
		if e.Host == "web2" && e.Cause == "corrective" {
			fmt.Printf("   plumb drift: %s %s, %s, cause: %s\n", e.Host, e.Address, e.Kind, e.Cause)
			return nil
		}
	}
	return errors.New("the repair was not reported as corrective")
}

var badLine = regexp.MustCompile(`demo\.hcl`)

func (s *stage) refuse() error {
	heading("6. A bad commit is refused at push, with its line")
	if err := s.edit("policy/demo.hcl", "mode    = \"0644\"", "mod     = \"0644\""); err != nil {
		return err
	}
	if err := s.commit("Set the mode"); err != nil {
		return err
	}
	fmt.Println("   $ git push origin main")
	o, err := s.must(s.path("policy"), "git", []string{"push", "origin", "main"}, 1)
	if err != nil {
		return fmt.Errorf("the bad commit was not refused: %w", err)
	}
	printRemote(o.errs)
	if !badLine.MatchString(o.errs) {
		return fmt.Errorf("the refusal does not name the file:\n%s", o.errs)
	}
	_, err = s.git("reset", "-q", "--hard", "HEAD~1")
	return err
}

func (s *stage) showPage() error {
	heading("7. The pages")
	o, err := s.plumb("web")
	if err != nil {
		return err
	}
	fmt.Printf("   Open this link (it works once; the certificate is this server's own):\n   %s\n", strings.TrimSpace(o.out))
	return nil
}

func (s *stage) stayUp() error {
	for _, name := range append([]string{"this-machine"}, hosts...) {
		args := []string{"run", "--interval", "10s", "--state", s.path("agents", name)}
		if name == "this-machine" {
			args = append(args, "--audit")
		} else {
			args = append(args, "--root", s.path("roots", name))
		}
		if err := s.start(name+".log", filepath.Join(s.bin, "plumb-agent"), args...); err != nil {
			return err
		}
	}
	fmt.Printf(`
The server and four agents (one run every 10 s) stay up until Ctrl-C. Try in another terminal:
   echo 'me again' > %s
   %s drift --data %s
   %s status --data %s
`, s.path("roots", "web1", "etc/motd"), filepath.Join(s.bin, "plumb"), s.path("server"), filepath.Join(s.bin, "plumb"), s.path("server"))
	<-s.ctx.Done()
	fmt.Println("\nstopping")
	return nil
}
