package protocol

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
	"golang.org/x/mod/sumdb/note"
)

func newKey(t testing.TB) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func line(name string, key ssh.Signer) string {
	return Signer{Principal: name, Key: key.PublicKey()}.Line()
}

func sign(t testing.TB, payload []byte, key ssh.Signer, namespace string) []byte {
	t.Helper()
	sig, err := sshsig.Sign(bytes.NewReader(payload), key, sshsig.HashSHA512, namespace)
	if err != nil {
		t.Fatal(err)
	}
	return append(append([]byte{}, payload...), sshsig.Armor(sig)...)
}

func parsed(t testing.TB, text string) Signers {
	t.Helper()
	signers, err := ParseSigners(text)
	if err != nil {
		t.Fatal(err)
	}
	return signers
}

func release() Release {
	return Release{Number: 7, Commit: strings.Repeat("1a", 20), Bundle: strings.Repeat("b2", 32), Size: 1234, RollbackTo: 6,
		Tagged: time.Unix(1_790_000_000, 0).UTC()}
}

const tagger = "Anna <anna@example.org>"

func TestReleaseThereAndBack(t *testing.T) {
	key := newKey(t)
	got, err := OpenRelease(sign(t, release().Payload(tagger), key, Namespace), parsed(t, line("anna", key)))
	if err != nil {
		t.Fatal(err)
	}
	want := release()
	want.Signer, want.Key = "anna", ssh.FingerprintSHA256(key.PublicKey())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("release (-want +got):\n%s", diff)
	}
}

func TestOpenReleaseRefuses(t *testing.T) {
	key, stranger := newKey(t), newKey(t)
	payload := release().Payload(tagger)
	swap := func(old, new string) []byte { return bytes.Replace(payload, []byte(old), []byte(new), 1) }
	signed := func(p []byte) []byte { return sign(t, p, key, Namespace) }
	for name, c := range map[string]struct {
		tag     []byte
		signers string
		want    string
	}{
		"unsigned":             {payload, line("anna", key), "not signed with an SSH key"},
		"foreign":              {sign(t, payload, stranger, Namespace), line("anna", key), "not pinned"},
		"no signers":           {signed(payload), "", "not pinned"},
		"other namespace":      {sign(t, payload, key, "file"), line("anna", key), "signature is wrong"},
		"changed after it":     {bytes.Replace(signed(payload), []byte("plumb-size: 1234"), []byte("plumb-size: 1235"), 1), line("anna", key), "signature is wrong"},
		"too long":             {append(signed(payload), make([]byte, MaxTag)...), line("anna", key), "is the most"},
		"other tag name":       {signed(swap("tag release/7", "tag release/8")), line("anna", key), "says that it is release 7"},
		"a tag of a tag":       {signed(swap("type commit", "type tag")), line("anna", key), "form of a release"},
		"twice":                {signed(append(payload, "plumb-size: 9\n"...)), line("anna", key), "twice"},
		"no bundle":            {signed(swap("plumb-bundle", "bundle")), line("anna", key), "lacks a usable"},
		"negative size":        {signed(swap("plumb-size: 1234", "plumb-size: -1")), line("anna", key), "lacks a usable"},
		"rollback to a later":  {signed(swap("rollback-to: 6", "rollback-to: 8")), line("anna", key), "lacks a usable"},
		"the number 2^63":      {signed(bytes.ReplaceAll(payload, []byte("7\n"), []byte("9223372036854775808\n"))), line("anna", key), ""},
		"key no longer valid":  {signed(payload), strings.Replace(line("anna", key), " namespaces", ` valid-before="20260101Z",namespaces`, 1), "not valid at"},
		"key not yet valid":    {signed(payload), strings.Replace(line("anna", key), " namespaces", ` valid-after="20270101Z",namespaces`, 1), "not valid at"},
		"garbage for an armor": {append(payload, sigStart+"AAAA\n-----END SSH SIGNATURE-----\n"...), line("anna", key), "signature"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := OpenRelease(c.tag, parsed(t, c.signers))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("OpenRelease = %v, want an error with %q", err, c.want)
			}
		})
	}
}

func runGit(t *testing.T, dir, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@b",
		"GIT_COMMITTER_NAME=Anna", "GIT_COMMITTER_EMAIL=anna@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// A tag that stock git signs is a release for us, and one that we sign verifies with stock git.
func TestStockGitAgrees(t *testing.T) {
	for _, tool := range []string{"git", "ssh-keygen"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs " + tool + ": it makes and verifies the tag")
		}
	}
	dir := t.TempDir()
	git := func(stdin string, args ...string) string { return runGit(t, dir, stdin, args...) }
	keyFile, allowed := filepath.Join(dir, "key"), filepath.Join(dir, "allowed")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keyFile).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	raw, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(allowed, []byte(line("anna@example.org", key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	git("", "init", "-q", ".")
	git("", "config", "gpg.format", "ssh")
	git("", "config", "gpg.ssh.allowedSignersFile", allowed)
	git("", "config", "user.signingkey", keyFile)
	git("", "commit", "-q", "--allow-empty", "-m", "x")
	r := release()
	r.Commit = git("", "rev-parse", "HEAD")
	git("", "tag", "-s", TagName(r.Number), "-m", r.Message())
	cmd := exec.Command("git", "cat-file", "tag", TagName(r.Number))
	cmd.Dir = dir
	theirs, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	signers := parsed(t, line("anna@example.org", key))
	if got, err := OpenRelease(theirs, signers); err != nil || got.Commit != r.Commit || got.Bundle != r.Bundle {
		t.Errorf("a tag of stock git: %+v, %v", got, err)
	}
	r.Number = 8
	ours := git(string(sign(t, r.Payload(tagger), key, Namespace)), "hash-object", "-t", "tag", "-w", "--stdin")
	git("", "update-ref", "refs/tags/"+TagName(8), ours)
	git("", "verify-tag", TagName(8))
}

func TestParseSigners(t *testing.T) {
	key := newKey(t)
	public := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey())))
	for name, c := range map[string]struct {
		text string
		want int // signers; -1 is an error
	}{
		"empty":             {"", 0},
		"comments":          {"# one\n\n  # two\n", 0},
		"plain":             {"anna " + public, 1},
		"two principals":    {"anna,a@b " + public, 1},
		"namespace":         {`anna namespaces="git" ` + public, 1},
		"other namespace":   {`anna namespaces="file" ` + public, -1},
		"two namespaces":    {`anna namespaces="git,file" ` + public, -1},
		"wildcard":          {"* " + public, -1},
		"negated":           {"!bob " + public, -1},
		"authority":         {"anna cert-authority " + public, -1},
		"validity":          {`anna valid-after="20260101Z",valid-before="202701011200Z" ` + public, 1},
		"validity, no zone": {`anna valid-before="20270101" ` + public, -1},
		"no key":            {"anna", -1},
		"damaged key":       {"anna ssh-ed25519 AAAA", -1},
		"one bad line":      {"anna " + public + "\nbob", -1},
	} {
		got, err := ParseSigners(c.text)
		if (err != nil) != (c.want < 0) || err == nil && len(got) != c.want {
			t.Errorf("%s: ParseSigners = %d signers, %v; want %d", name, len(got), err, c.want)
		}
	}
}

func TestToken(t *testing.T) {
	want := Token{Secret: "s", People: "p:1", Agents: "a:2", SSH: "h:3", CA: "c", SSHKey: "k", LeaseKey: "l", Signers: []string{"r"}}
	got, err := ParseToken(" " + want.String() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("token (-want +got):\n%s", diff)
	}
	for name, text := range map[string]string{"empty": "", "prefix alone": tokenPrefix, "cut": want.String()[:40], "other": "plumb2.e30",
		"no secret": Token{CA: "c", LeaseKey: "l", Signers: []string{"r"}}.String(), "no signers": Token{Secret: "s", CA: "c", LeaseKey: "l"}.String(),
		"long": tokenPrefix + strings.Repeat("A", 64<<10)} {
		if _, err := ParseToken(text); err == nil {
			t.Errorf("%s: it was taken for a token", name)
		}
	}
}

func leaseKeys(t testing.TB) (note.Signer, string) {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, "plumb-lease")
	if err != nil {
		t.Fatal(err)
	}
	key, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return key, public
}

func TestLease(t *testing.T) {
	key, pin := leaseKeys(t)
	want := Lease{Host: "h", Counter: 3, Release: 7, Tag: "t", Bundle: "b", Issued: time.Unix(1e9, 0).UTC(), Expires: time.Unix(2e9, 0).UTC(), Freeze: true}
	signed, err := SignLease(want, key)
	if err != nil {
		t.Fatal(err)
	}
	got, err := OpenLease(signed, pin)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lease (-want +got):\n%s", diff)
	}
	_, other := leaseKeys(t)
	foreign, err := note.Sign(&note.Note{Text: "go.sum database tree\n1\n"}, key)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][2]string{"other key": {signed, other}, "changed": {strings.Replace(signed, `"counter":3`, `"counter":4`, 1), pin},
		"empty": {"", pin}, "damaged pin": {signed, "x"}, "another kind of note": {string(foreign), pin}} {
		if _, err := OpenLease(c[0], c[1]); err == nil {
			t.Errorf("%s: it was taken for a lease", name)
		}
	}
}

func FuzzParseSigners(f *testing.F) {
	f.Add(line("anna", newKey(f)))
	f.Add(`anna valid-before="20270101Z",namespaces="git" ssh-ed25519 AAAA`)
	f.Add("# nobody\n\n* ssh-rsa x")
	f.Fuzz(func(t *testing.T, text string) {
		signers, err := ParseSigners(text)
		if err != nil {
			return
		}
		for _, one := range signers {
			if one.Principal == "" || one.Key == nil || strings.ContainsAny(one.Principal, "*?! ") {
				t.Errorf("ParseSigners(%q) gave %+v", text, one)
			}
		}
	})
}

func FuzzParseToken(f *testing.F) {
	f.Add(Token{Secret: "s", CA: "c", LeaseKey: "l", Signers: []string{"r"}}.String())
	f.Add("plumb1.e30")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		if err != nil {
			return
		}
		again, err := ParseToken(token.String())
		if err != nil || !cmp.Equal(token, again) {
			t.Errorf("ParseToken(%q) = %+v, and again %+v, %v", text, token, again, err)
		}
	})
}

func FuzzOpenLease(f *testing.F) {
	key, pin := leaseKeys(f)
	genuine, err := SignLease(Lease{Host: "h", Counter: 3}, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(genuine)
	f.Add("plumb lease v1\n{}\n\n— plumb-lease AAAA\n")
	f.Fuzz(func(t *testing.T, signed string) {
		if l, err := OpenLease(signed, pin); err == nil && (l.Host != "h" || l.Counter != 3) {
			t.Errorf("a lease that nobody signed was opened: %+v", l)
		}
	})
}

func FuzzOpenRelease(f *testing.F) {
	key := newKey(f)
	signers := parsed(f, line("anna", key))
	f.Add(sign(f, release().Payload(tagger), key, Namespace))
	f.Add(release().Payload(tagger))
	f.Fuzz(func(t *testing.T, tag []byte) {
		if r, err := OpenRelease(tag, signers); err == nil && (r.Number != 7 || r.Bundle != release().Bundle) {
			t.Errorf("a release that nobody signed was opened: %+v", r)
		}
	})
}

func FuzzReadMessage(f *testing.F) {
	f.Add(release().Message())
	f.Add("plumb-release: 1\nplumb-release: 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		var r Release
		if err := r.readMessage(text); err == nil && (r.Number == 0 || r.Size < 0 || r.RollbackTo > r.Number || len(r.Bundle) != 64) {
			t.Errorf("readMessage(%q) = %+v", text, r)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	for _, text := range []string{"", "{}", strings.Repeat("a", 5000)} {
		packed, err := Pack([]byte(text))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		const most = 1000
		raw, err := Unpack(packed, most)
		if err != nil {
			return
		}
		if len(raw) > most {
			t.Fatalf("%d bytes came out, %d are the most", len(raw), most)
		}
		again, err := Pack(raw)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Unpack(again, most); err != nil || !bytes.Equal(back, raw) {
			t.Fatalf("what was unpacked does not survive: %v", err)
		}
	})
}

func FuzzParseRange(f *testing.F) {
	for _, text := range []string{"bytes 0-9/10", "bytes 5-5/9", "bytes 9-0/20", "bytes -1-2/3", "bytes 0-9/*", "bytes 0-9223372036854775807/9223372036854775807"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRange(text)
		if err == nil && (r.From < 0 || r.From >= r.To || r.To > r.Total || r.String() != text) {
			t.Errorf("ParseRange(%q) = %+v", text, r)
		}
	})
}
