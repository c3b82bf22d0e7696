package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumb/agent/cause"
	"plumb/inventory"
	"plumb/modules"
	"plumb/policies"
	"plumb/policies/bundle"
	"plumb/policies/lang"
)

// compileHere does what the compiler's child does.
func compileHere(_ context.Context, raw []byte, host inventory.Host, _ inventory.Facts) (Compiled, error) {
	tree, err := bundle.Unpack(raw)
	if err != nil {
		return Compiled{}, err
	}
	config, problems := lang.Load(tree)
	out := config.Compile(lang.Input{Host: host, Facts: map[string]any{}})
	if problems = append(problems, out.Problems...); len(problems) > 0 {
		return Compiled{}, &Rejected{Problems: problems}
	}
	shown, secret, err := lang.Redact(out.Catalog)
	if err != nil {
		return Compiled{}, err
	}
	catalog, digest, err := lang.Digest(shown)
	return Compiled{Raw: catalog, Digest: digest, Secret: secret}, err
}

// canaries are 100 secrets in a policy, in all places where one can stand, some in what fails.
func canaries(round string) ([]string, bundle.Tree) {
	var secrets, list []string
	tree := bundle.Tree{}
	for i := range 100 {
		secret := fmt.Sprintf("canary-%s-%02d", round, i)
		secrets, list = append(secrets, secret), append(list, fmt.Sprintf("%q", secret))
		if i >= 50 && i < 75 {
			tree[fmt.Sprintf("keys/%d.pem", i)] = []byte("begin\n" + secret + "\nend\n")
		}
	}
	tree["site.hcl"] = []byte(`
variable "secrets" {
  type      = list(string)
  default   = [` + strings.Join(list, ", ") + `]
  sensitive = true
}
policy "p" {
  resource "file" "content" {
    for_each = toset([for i in range(0, 25) : tostring(i)])
    path     = "/content-${each.key}"
    content  = var.secrets[tonumber(each.key)]
  }
  resource "file" "refused" {
    for_each     = toset([for i in range(25, 50) : tostring(i)])
    path         = "/refused-${each.key}"
    content      = "one\npassword = ${var.secrets[tonumber(each.key)]}\n"
    validate_cmd = ["sh", "-c", "cat \"$0\"; exit 1", "%"]
  }
  resource "file" "source" {
    for_each  = toset([for i in range(50, 75) : tostring(i)])
    path      = "/source-${each.key}"
    source    = "keys/${each.key}.pem"
    sensitive = true
  }
  check "command" "shown" {
    for_each   = toset([for i in range(75, 100) : tostring(i)])
    command    = ["sh", "-c", "echo \"$0\"; echo \"$0\" >&2; exit 3", var.secrets[tonumber(each.key)]]
    must_match = "never"
  }
}
`)
	return secrets, tree
}

// TestSecretsStayOnTheHost looks for 100 of them in what is sent and logged, and in what the agent
// keeps of its runs.
func TestSecretsStayOnTheHost(t *testing.T) {
	r := newRig(t)
	var log bytes.Buffer
	r.agent.Compile, r.agent.Decode, r.agent.Log = compileHere, modules.Decode, slog.New(slog.NewTextHandler(&log, nil))
	r.enroll("")
	var secrets []string
	for n, name := range []string{"first", "second"} {
		some, tree := canaries(name)
		secrets = append(secrets, some...)
		r.publish(uint64(n+1), uint64(n), tree)
		r.round()
		for _, file := range []string{"content-3", "source-60"} {
			if err := os.WriteFile(filepath.Join(r.root, file), []byte("somebody's"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r.round()
	}
	tells := tellTales(t, secrets)
	var sent bytes.Buffer
	for _, report := range r.Reports() {
		raw, _ := json.Marshal(report)
		sent.Write(raw)
		for _, digest := range []string{report.Facts, report.Catalog, report.Result} {
			sent.Write(r.Object(digest))
		}
	}
	if !strings.Contains(sent.String(), "(sensitive, hmac ") || !strings.Contains(sent.String(), `policy.p.check.command.shown[\"99\"]`) {
		t.Errorf("the reports do not tell of sensitive changes:\n%.3000s", sent.String())
	}
	silent(t, "what is sent", sent.Bytes(), tells)
	silent(t, "the log", log.Bytes(), tells)
	statesAreSilent(t, r.agent.Dir.Path, tells)
}

// tellTales are the secrets, and digests by which one could be tried out.
func tellTales(t *testing.T, secrets []string) []string {
	var tells []string
	for _, s := range secrets {
		tells = append(tells, s)
		for _, text := range []string{s, "one\npassword = " + s + "\n", "begin\n" + s + "\nend\n"} {
			tells = append(tells, inventory.Digest([]byte(text))[:12])
		}
	}
	for _, name := range []string{"first", "second"} {
		_, tree := canaries(name)
		config, _ := lang.Load(tree)
		for _, res := range config.Compile(lang.Input{Facts: map[string]any{}}).Catalog.Resources {
			plain, err := cause.Wanted(res, nil)
			if err != nil {
				t.Fatal(err)
			}
			tells = append(tells, plain)
		}
	}
	return tells
}

func silent(t *testing.T, what string, raw []byte, tells []string) {
	t.Helper()
	for _, tell := range tells {
		if at := bytes.Index(raw, []byte(tell)); at >= 0 {
			t.Errorf("%s tells %s: %q", what, tell, raw[max(0, at-200):min(len(raw), at+100)])
			return
		}
	}
}

// statesAreSilent reads the state folder. The policy itself, what it compiles to and old versions of
// files lie there too, for root alone.
func statesAreSilent(t *testing.T, dir string, tells []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %s", path, info.Mode())
		}
		name, _ := filepath.Rel(dir, path)
		for _, root := range []string{"releases/", "files/", "catalog-", "last.json"} {
			if strings.HasPrefix(name, root) {
				return nil
			}
		}
		raw, err := os.ReadFile(path)
		silent(t, name, raw, tells)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSensitiveChangesCanBeCompared by who knows no secret.
func TestSensitiveChangesCanBeCompared(t *testing.T) {
	r := newRig(t)
	r.agent.Compile, r.agent.Decode = compileHere, modules.Decode
	r.enroll("")
	policy := func(n uint64, secret string) {
		r.publish(n, n-1, bundle.Tree{"site.hcl": fmt.Appendf(nil, `
policy "p" {
  mode = "audit"
  resource "file" "pin" {
    path    = "/pin"
    content = sensitive(%q)
  }
}`, secret)})
	}
	look := func(found string) policies.Change {
		if err := os.WriteFile(filepath.Join(r.root, "pin"), []byte(found), 0o600); err != nil {
			t.Fatal(err)
		}
		r.round()
		got := r.last()["policy.p.file.pin"]
		if len(got.Changes) != 1 {
			t.Fatalf("changes = %+v", got)
		}
		return got.Changes[0]
	}
	policy(1, "4711")
	one, again, other := look("1"), look("1"), look("2")
	policy(2, "4712")
	meant := look("2")
	if one != again || one.Before == other.Before || one.After != other.After || meant.Before != other.Before || meant.After == other.After {
		t.Errorf("changes %v, %v, %v, %v do not tell what is another value", one, again, other, meant)
	}
	if got := r.last()["policy.p.file.pin"]; got.Cause != policies.Intentional || got.From == "" || got.From == got.To {
		t.Errorf("a new secret has the cause %s, from %q to %q", got.Cause, got.From, got.To)
	}
}
