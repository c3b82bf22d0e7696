package people

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"plumb/server/store"
)

// cheap is far below what a server may use, so that tests are fast.
var cheap = Cost{Memory: 64, Time: 1, Threads: 1}

const good = "a lamp, two rivers"

func newPeople(t *testing.T, cost Cost) (*People, *store.Store, *bytes.Buffer) {
	t.Helper()
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "plumb.db"))
	must(t, err)
	t.Cleanup(func() { st.Close() })
	log := &bytes.Buffer{}
	return New(st, cost, slog.New(slog.NewTextHandler(log, nil))), st, log
}

func local(name string) store.Account {
	return store.Account{Name: name, Role: "viewer", Created: start, CreatedBy: "root"}
}

func try(name, password string) Try {
	return Try{Name: name, Password: password, Address: "192.0.2.1:1", Now: start}
}

func TestStandardIsWhatTheRFCRecommends(t *testing.T) {
	if got := Standard(); got != (Cost{Memory: 65536, Time: 3, Threads: 4}) {
		t.Errorf("Standard() = %+v", got)
	}
}

func TestSignIn(t *testing.T) {
	p, st, log := newPeople(t, cheap)
	ctx := t.Context()
	must(t, p.Add(ctx, local("ada"), good))
	must(t, p.Add(ctx, local("invited"), ""))
	must(t, p.Add(ctx, local("gone"), good))
	must(t, st.DisableAccount(ctx, "gone", start))
	must(t, st.AddAccount(ctx, store.Account{Name: "grace@login", Role: "admin", Issuer: "https://login", Subject: "1"}))
	for name, c := range map[string]struct {
		name, password string
		want           bool
	}{
		"right":             {"ada", good, true},
		"capitals, blanks":  {" Ada ", good, true},
		"wrong":             {"ada", good + ".", false},
		"empty":             {"ada", "", false},
		"unknown":           {"bob", good, false},
		"nobody":            {"", "", false},
		"not a name":        {"../ada", good, false},
		"no password yet":   {"invited", "", false},
		"disabled":          {"gone", good, false},
		"from the provider": {"grace@login", "", false},
		"endless":           {"ada", strings.Repeat("x", 1<<20), false},
	} {
		a, mark, err := p.SignIn(ctx, try(c.name, c.password))
		if c.want && (err != nil || a.Name != "ada" || mark == "") {
			t.Errorf("%s: SignIn = %+v, %q, %v, want ada", name, a, mark, err)
		}
		if !c.want && (kindOf(err) != Denied || err.Error() != wrong().Error() || mark != "" || a.Name != "") {
			t.Errorf("%s: SignIn = %+v, %q, %v, want the one refusal", name, a, mark, err)
		}
	}
	if said := log.String(); !strings.Contains(said, "account=ada") || strings.Contains(said, "bob") || strings.Contains(said, good) {
		t.Errorf("the log says %q", said)
	}
}

// TestUnknownNamesCostTheSame counts the work, which a clock on a busy machine cannot.
func TestUnknownNamesCostTheSame(t *testing.T) {
	h := newHasher(cheap)
	phc, err := h.hash(t.Context(), good)
	must(t, err)
	real, err := parsePHC(phc)
	must(t, err)
	if h.nobody.Cost != real.Cost || len(h.nobody.salt) != len(real.salt) || len(h.nobody.key) != len(real.key) {
		t.Errorf("nobody's hash %+v is not like a real one %+v", h.nobody, real)
	}
	if ok, _, err := h.match(t.Context(), "", ""); ok || err != nil {
		t.Errorf("match of no hash = %v, %v", ok, err)
	}
}

// TestUnknownNamesWaitForTheirHash takes all places for hashing: whoever gets an answer all the
// same did not need one.
func TestUnknownNamesWaitForTheirHash(t *testing.T) {
	p, st, _ := newPeople(t, cheap)
	ctx := t.Context()
	must(t, p.Add(ctx, local("ada"), good))
	must(t, p.Add(ctx, local("invited"), ""))
	must(t, st.AddAccount(ctx, store.Account{Name: "grace@login", Issuer: "https://login", Subject: "1"}))
	for range hashesAtOnce {
		_, err := p.hasher.enter(ctx)
		must(t, err)
	}
	p.hasher.waiting.Add(hashesWaiting)
	for _, name := range []string{"ada", "nobody", "invited", "grace@login", "not a name", ""} {
		if _, _, err := p.SignIn(ctx, try(name, good)); kindOf(err) != Busy {
			t.Errorf("%q is answered without any work: %v", name, err)
		}
	}
}

func TestPasswordIsHashedAgainWhenThatWasTooCheap(t *testing.T) {
	p, st, _ := newPeople(t, cheap)
	ctx := t.Context()
	must(t, p.Add(ctx, local("ada"), good))
	before, err := st.Account(ctx, "ada")
	must(t, err)
	dearer := New(st, Cost{Memory: 128, Time: 2, Threads: 1}, slog.New(slog.DiscardHandler))
	_, _, err = dearer.SignIn(ctx, try("ada", "not this one, ever"))
	if kindOf(err) != Denied {
		t.Fatal(err)
	}
	if same, _ := st.Account(ctx, "ada"); same.Password != before.Password {
		t.Error("a wrong password has changed the hash")
	}
	a, _, err := dearer.SignIn(ctx, try("ada", good))
	must(t, err)
	if !strings.Contains(a.Password, "$m=128,t=2,p=1$") || !strings.HasPrefix(before.Password, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Errorf("the hash was %s and is %s", before.Password, a.Password)
	}
	must(t, st.OpenSession(ctx, store.Session{Hash: "s"}, a))
	if _, _, err := p.SignIn(ctx, try("ada", good)); err != nil {
		t.Errorf("a server that hashes more cheaply says %v", err)
	}
}

func TestSamePasswordFromOtherKeyboards(t *testing.T) {
	p, _, _ := newPeople(t, cheap)
	must(t, p.Add(t.Context(), local("ada"), "gro\u00dfe Bl\u00fcte, spät"))
	if _, _, err := p.SignIn(t.Context(), try("ada", "gro\u00dfe Blu\u0308te, spa\u0308t")); err != nil {
		t.Error(err)
	}
}

func TestChangePassword(t *testing.T) {
	p, st, _ := newPeople(t, cheap)
	ctx := t.Context()
	must(t, p.Add(ctx, local("ada"), good))
	a, err := st.Account(ctx, "ada")
	must(t, err)
	for _, hash := range []string{"here", "there"} {
		must(t, st.OpenSession(ctx, store.Session{Hash: hash, Name: "ada", Role: "viewer", Expires: start.Add(time.Hour)}, a))
	}
	const next = "three owls in the rain"
	if err := p.ChangePassword(ctx, try("ada", "not the old one"), next, "here"); kindOf(err) != Barred {
		t.Errorf("with a wrong old password: %v", err)
	}
	if err := p.ChangePassword(ctx, try("ada", good), "short", "here"); kindOf(err) != Unfit {
		t.Errorf("to a short one: %v", err)
	}
	must(t, p.ChangePassword(ctx, try("ada", good), next, "here"))
	if _, err := st.Session(ctx, "here", start); err != nil {
		t.Errorf("the own session: %v", err)
	}
	if _, err := st.Session(ctx, "there", start); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the other session: %v, want that it has ended", err)
	}
	if _, _, err := p.SignIn(ctx, try("ada", good)); kindOf(err) != Denied {
		t.Errorf("the old password: %v", err)
	}
}

func TestInvitation(t *testing.T) {
	p, st, _ := newPeople(t, cheap)
	ctx := t.Context()
	must(t, p.Add(ctx, local("ada"), ""))
	must(t, st.AddLink(ctx, "ada", "code", start.Add(time.Hour)))
	if _, err := p.Accept(ctx, "code", "short", start); kindOf(err) != Unfit {
		t.Errorf("a short password: %v", err)
	}
	a, err := p.Accept(ctx, "code", good, start)
	if err != nil || a.Name != "ada" || a.Password == "" {
		t.Fatalf("Accept = %+v, %v", a, err)
	}
	for _, code := range []string{"code", "zebra"} {
		if _, err := p.Accept(ctx, code, good, start); kindOf(err) != Missing {
			t.Errorf("Accept(%q) = %v, want that it does not work any more", code, err)
		}
	}
}

func TestCheckPassword(t *testing.T) {
	for password, fine := range map[string]bool{
		good: true, "correct horse": true, "ünübërsïchtl": true, "Tr0ub4dor&3xyz": true, "grace hopper 1906": true, strings.Repeat("wörter und ", 20): true,
		"": false, "elevenchars": false, strings.Repeat("abcd efgh ", 200): false,
		"Password12345": false, "passwordpassword": false, "123456789012": false, "abcdefghijklm": false, "aaaaaaaaaaaa": false, "abcabcabcabc": false,
		"ada.lovelace": false, "Ada-Lovelace-1815": false, "ada.lovelaceada.lovelace": false, "!!!Administrator!!!": false,
	} {
		err := CheckPassword("ada.lovelace", password)
		if (err == nil) != fine || err != nil && kindOf(err) != Unfit {
			t.Errorf("CheckPassword(%q) = %v, want fine = %v", password, err, fine)
		}
	}
}

func TestCheckName(t *testing.T) {
	for name, fine := range map[string]bool{
		"ada": true, "a.b-c_d": true, "7": true, strings.Repeat("a", 63): true,
		"": false, "Ada": false, "ada@host": false, "-ada": false, "ada lovelace": false, "local administrator": false, strings.Repeat("a", 64): false, "ädä": false, "ada\n": false,
	} {
		if err := CheckName(name); (err == nil) != fine {
			t.Errorf("CheckName(%q) = %v, want fine = %v", name, err, fine)
		}
	}
}

// TestFewHashesAtOnce wants the memory of hashing to be bounded, whatever strangers do.
func TestFewHashesAtOnce(t *testing.T) {
	h := newHasher(cheap)
	var leave []func()
	for range hashesAtOnce {
		l, err := h.enter(t.Context())
		must(t, err)
		leave = append(leave, l)
	}
	gone, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	refused := make(chan error, hashesWaiting+1)
	for range hashesWaiting {
		waiting.Go(func() { _, _, err := h.match(gone, "", "x"); refused <- err })
	}
	for h.waiting.Load() < hashesWaiting {
		time.Sleep(time.Millisecond)
	}
	if _, err := h.hash(t.Context(), good); kindOf(err) != Busy {
		t.Errorf("one more than may wait: %v, want to be told that it is busy", err)
	}
	cancel()
	waiting.Wait()
	for range hashesWaiting {
		if err := <-refused; kindOf(err) != Busy {
			t.Errorf("who gave up got %v", err)
		}
	}
	leave[0]()
	if _, err := h.hash(t.Context(), good); err != nil {
		t.Errorf("with a place free: %v", err)
	}
}

func TestParsePHC(t *testing.T) {
	h := newHasher(cheap)
	phc, err := h.hash(t.Context(), good)
	must(t, err)
	for name, text := range map[string]string{
		"empty": "", "other function": strings.Replace(phc, "argon2id", "argon2i", 1), "other version": strings.Replace(phc, "v=19", "v=16", 1),
		"too much memory": strings.Replace(phc, "m=64", "m=4194304", 1), "no time": strings.Replace(phc, "t=1", "t=0", 1), "endless": strings.Replace(phc, "t=1", "t=4000000", 1),
		"no threads": strings.Replace(phc, "p=1", "p=0", 1), "less memory than threads": strings.Replace(phc, "m=64,t=1,p=1", "m=64,t=1,p=9", 1),
		"leading zero": strings.Replace(phc, "m=64", "m=064", 1), "rest": phc + "$", "padding": phc + "=", "cut": phc[:len(phc)-30], "long": phc + strings.Repeat("A", 500),
		"negative": strings.Replace(phc, "t=1", "t=-1", 1), "other order": strings.Replace(phc, "m=64,t=1", "t=1,m=64", 1),
	} {
		if d, err := parsePHC(text); err == nil {
			t.Errorf("%s: parsePHC(%q) = %+v, want an error", name, text, d)
		}
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=,t=,p=$$")
	f.Add("$2a$10$N9qo8uLOickgx2ZMRZoMye")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parsePHC(text)
		if err != nil {
			return
		}
		if d.String() != text || d.Memory > mostMemory || d.Time > mostTime || d.Threads > mostThreads || len(d.key) < leastKey {
			t.Errorf("parsePHC(%q) = %+v", text, d)
		}
	})
}
