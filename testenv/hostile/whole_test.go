package hostile_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"plumb/testenv/browser"
	"plumb/testenv/hostile"
)

// times chooses between a short and a long campaign.
func times(short, long int) int {
	if os.Getenv("PLUMB_SOAK") == "1" {
		return long
	}
	return short
}

// TestWholeWay sends a corpus by the real protocol to a real server, and looks at all that comes out at the
// other end: pages in a browser, with the content security policy passed over and in force, commands, the server's
// log and figures, syslog, CEF and webhooks. The first round breaks out of HTML in every field, the others draw from the corpus.
func TestWholeWay(t *testing.T) {
	texts := hostile.Texts(12, times(400, 5000))
	program, ctx := build(t), browser.Start(t)
	taken := quiet(texts)
	drawn, sum := 0, tally{texts: taken, read: map[string]bool{}}
	draw := func() string { drawn++; return taken[drawn%len(taken)] }
	breakOut := func() string {
		drawn++
		return fmt.Sprint(drawn, `'"></title></textarea><img src=x onerror=console.log('`+hostile.Canary+`')>`)
	}
	for round := range 1 + times(1, 12) {
		next, format, part := draw, "cef", texts
		if round == 0 {
			next, format, part = breakOut, "rfc5424", nil
		}
		s := newSite(t, program, format)
		s.push(next)
		if round == 1 {
			sum.refused += s.enrol("liar").refusals(part)
		}
		s.reports(next)
		s.heard()
		s.lookAtPages(ctx, next, round == 0, &sum)
		s.lookAtCommands(next, &sum)
		s.lookAtWords(&sum)
		if s.stop(); t.Failed() {
			break
		}
	}
	t.Logf("%d texts: %d refused, %d of the others read in %d pages; %d fields; %d commands, %d lines of logs and figures, %d messages",
		len(texts), sum.refused, len(sum.read), sum.pages, drawn, sum.commands, sum.lines, sum.messages)
	if sum.refused < len(texts)/20 || len(sum.read) < len(taken)/3 {
		t.Error("too little of it came so far that it shows anything")
	}
}

// reports has three hosts send two runs each, in which every text is another's.
func (s *site) reports(next func() string) {
	s.t.Helper()
	for _, name := range []string{"evil1", "evil2", "evil3"} {
		h := s.enrol(name)
		for range 2 {
			about, objects := run(next, times(9, 40))
			must(s.t, h.report(words(next), about, objects...))
		}
	}
}

// tally counts what was looked at.
type tally struct {
	texts                                     []string
	read                                      map[string]bool
	pages, commands, lines, messages, refused int
}

// push makes the first release, of which an author wrote each word, and then has the server refuse one.
func (s *site) push(next func() string) {
	s.t.Helper()
	s.must(exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", s.at("author")))
	key, err := os.ReadFile(s.at("author.pub"))
	must(s.t, err)
	s.ask("/v1/authors", map[string]string{"name": "mallory", "key": string(key)}, nil)
	out, err := exec.Command("ssh-keygen", "-y", "-f", s.at("data/keys/ssh_host_ed25519_key")).Output()
	must(s.t, err)
	address, port, _ := strings.Cut(s.ssh, ":")
	s.write("known_hosts", fmt.Appendf(nil, "[%s]:%s %s", address, port, out))
	s.write("policy/main.hcl", policy(next, "high"))
	s.must(s.git(next, "init", "-q", "-b", "main"))
	s.must(s.git(next, "add", "--all"))
	s.must(s.git(next, "commit", "-q", "-m", "x"+line(next())+"\n\n"+line(next())))
	s.must(s.git(next, "push", "-q", "ssh://git@"+s.ssh+"/policy", "main"))
	s.write("policy/main.hcl", policy(next, "\u202e"+next())) // the line is shown as it was written
	s.must(s.git(next, "commit", "-q", "-a", "-m", "x"+line(next())))
	refusal, err := s.git(next, "push", "-q", "ssh://git@"+s.ssh+"/policy", "main").CombinedOutput()
	if found := hostile.Steers(string(refusal)); err == nil || found != "" || !strings.Contains(string(refusal), "severity") {
		s.t.Errorf("a bad push: %v, and what is said of it has %s:\n%s", err, found, refusal)
	}
}

// policy is one whose words are another's.
func policy(next func() string, severity string) []byte {
	return fmt.Appendf(nil, `group "all" {
  match = true
}
policy "p" {
  title      = %s
  applies_to = group.all
  resource "file" "f" {
    title    = %s
    severity = %s
    tags     = [%s]
    path     = "/nowhere"
    content  = %s
  }
}
waiver "w" {
  resources = [policy.p.file.f]
  reason    = %s
  expires   = "2026-12-31T00:00:00Z"
}
`, hcl(next()), hcl(next()), hcl(severity), hcl(next()), hcl(next()), hcl(next()))
}

// hcl is a text in quotes.
func hcl(text string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(hostile.Quoted(text))
}

// line is a text that Git takes as the name of an author or the subject of a commit.
func line(text string) string { return strings.NewReplacer("\x00", "", "\n", " ").Replace(text) }

func (s *site) git(next func() string, args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Dir = s.at("policy")
	ssh := fmt.Sprintf("ssh -F /dev/null -i %s -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=%s", s.at("author"), s.at("known_hosts"))
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LC_ALL=C.UTF-8", "GIT_SSH_COMMAND=" + ssh, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=x" + line(next()), "GIT_AUTHOR_EMAIL=x" + line(next()), "GIT_COMMITTER_NAME=x" + line(next()), "GIT_COMMITTER_EMAIL=x@y"}
	return cmd
}

func (s *site) must(cmd *exec.Cmd) {
	s.t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
}

// told is how many things each receiver is told at least: each of the three hosts has a problem, and severe findings.
const told = 6

// heard waits until each receiver was told of them.
func (s *site) heard() {
	s.t.Helper()
	s.until("all receivers are told", func() error {
		if names := s.told.missing(told); len(names) > 0 {
			return fmt.Errorf("%v were told less than %d things", names, told)
		}
		return nil
	})
}
