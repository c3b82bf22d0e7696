package store

import (
	"testing"
	"time"
)

func anAccount(name string) Account {
	return Account{Name: name, Role: "operator", Password: "$1", Created: start, CreatedBy: "root", Changed: start}
}

func TestAccounts(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		ada, grace := anAccount("ada"), anAccount("grace@login.example.org")
		grace.Issuer, grace.Subject, grace.Password = "https://login.example.org", "17", ""
		must(t, s.AddAccount(ctx, grace))
		must(t, s.AddAccount(ctx, ada))
		wantErr(t, s.AddAccount(ctx, ada), ErrConflict)
		twin := grace
		twin.Name = "other"
		wantErr(t, s.AddAccount(ctx, twin), ErrConflict)
		all, err := s.Accounts(ctx)
		must(t, err)
		same(t, "accounts", all, []Account{ada, grace})
		got, err := s.AccountBySubject(ctx, grace.Issuer, "17")
		must(t, err)
		same(t, "account of a subject", got, grace)
		_, err = s.AccountBySubject(ctx, "", "")
		wantErr(t, err, ErrNotFound)
		wantErr(t, s.SetPassword(ctx, grace, "$2", "", start), ErrConflict)
		must(t, s.SetPassword(ctx, ada, "$2", "", start.Add(time.Hour)))
		wantErr(t, s.SetPassword(ctx, ada, "$3", "", start), ErrConflict)
		got, err = s.Account(ctx, "ada")
		must(t, err)
		same(t, "password", got.Password, "$2")
		must(t, s.Rehash(ctx, got, "$4"))
		must(t, s.Rehash(ctx, got, "$5"))
		got, err = s.Account(ctx, "ada")
		must(t, err)
		same(t, "hash", got.Password, "$4")
		must(t, s.RemoveAccount(ctx, "ada"))
		wantErr(t, s.RemoveAccount(ctx, "ada"), ErrNotFound)
	})
}

// TestSessionsEndWithTheirAccount does to an account what takes something from its person, and
// wants no session, new or old, to be left.
func TestSessionsEndWithTheirAccount(t *testing.T) {
	cases := map[string]func(*Store, *testing.T) error{
		"disabled":   func(s *Store, t *testing.T) error { return s.DisableAccount(t.Context(), "ada", start) },
		"removed":    func(s *Store, t *testing.T) error { return s.RemoveAccount(t.Context(), "ada") },
		"other role": func(s *Store, t *testing.T) error { return s.SetRole(t.Context(), "ada", "viewer") },
		"new password": func(s *Store, t *testing.T) error {
			return s.SetPassword(t.Context(), anAccount("ada"), "$9", "", start)
		},
	}
	for name, act := range cases {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, s *Store) {
				ctx, end := t.Context(), start.Add(time.Hour)
				must(t, s.AddAccount(ctx, anAccount("ada")))
				must(t, s.OpenSession(ctx, Session{Hash: "s", Name: "ada", Role: "operator", Created: start, Expires: end}, anAccount("ada")))
				must(t, s.CreateSession(ctx, Session{Hash: "link", Name: "ada", Role: "viewer", Expires: end}))
				_, err := s.Session(ctx, "s", start)
				must(t, err)
				must(t, act(s, t))
				_, err = s.Session(ctx, "s", start)
				wantErr(t, err, ErrNotFound)
				wantErr(t, s.OpenSession(ctx, Session{Hash: "late", Name: "ada", Expires: end}, anAccount("ada")), ErrConflict)
				_, err = s.Session(ctx, "link", start)
				must(t, err)
			})
		})
	}
}

// TestDisabledIsLookedUp wants a session to be dead even if its row were left.
func TestDisabledIsLookedUp(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		must(t, s.AddAccount(ctx, anAccount("ada")))
		must(t, s.OpenSession(ctx, Session{Hash: "s", Name: "ada", Expires: start.Add(time.Hour)}, anAccount("ada")))
		_, err := s.w.Exec(`UPDATE accounts SET disabled = 1`)
		must(t, err)
		_, err = s.Session(ctx, "s", start)
		wantErr(t, err, ErrNotFound)
		must(t, s.EnableAccount(ctx, "ada"))
		_, err = s.Session(ctx, "s", start)
		wantErr(t, err, ErrNotFound)
	})
}

func TestAccountLinks(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx, end := t.Context(), start.Add(time.Hour)
		ada := anAccount("ada")
		must(t, s.AddAccount(ctx, ada))
		must(t, s.AddLink(ctx, "ada", "old", end))
		must(t, s.AddLink(ctx, "ada", "l", end))
		for hash, at := range map[string]time.Time{"old": start, "l": end, "": start} {
			_, err := s.AccountByLink(ctx, hash, at)
			wantErr(t, err, ErrNotFound)
		}
		got, err := s.AccountByLink(ctx, "l", start)
		must(t, err)
		same(t, "account", got, ada)
		must(t, s.OpenSession(ctx, Session{Hash: "s", Name: "ada", Created: start, Expires: end}, ada))
		wantErr(t, s.UseLink(ctx, "l", ada, "$2", end), ErrNotFound)
		must(t, s.UseLink(ctx, "l", ada, "$2", start))
		wantErr(t, s.UseLink(ctx, "l", ada, "$2", start), ErrNotFound)
		_, err = s.Session(ctx, "s", start)
		wantErr(t, err, ErrNotFound)
		must(t, s.AddLink(ctx, "ada", "l2", end))
		must(t, s.Forget(ctx, end))
		must(t, s.AddLink(ctx, "ada", "l2", end))
		must(t, s.DisableAccount(ctx, "ada", start))
		_, err = s.AccountByLink(ctx, "l2", start)
		wantErr(t, err, ErrNotFound)
	})
}

func TestSessionsOfAPerson(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx, end := t.Context(), start.Add(time.Hour)
		must(t, s.AddAccount(ctx, anAccount("ada")))
		first := Session{Hash: "0123456789abcdef-1", Name: "ada", Role: "operator", Account: "ada", Browser: "Firefox on Linux", Created: start, Expires: end}
		second := first
		second.Hash, second.Created = "0123456789abcdeg-2", start.Add(time.Minute)
		must(t, s.OpenSession(ctx, first, anAccount("ada")))
		must(t, s.OpenSession(ctx, second, anAccount("ada")))
		must(t, s.CreateSession(ctx, Session{Hash: "9123456789abcdef-3", Name: "ada", Expires: end}))
		all, err := s.SessionsOf(ctx, first, start)
		must(t, err)
		same(t, "sessions", all, []Session{second, first})
		for _, prefix := range []string{"", "0", "9123456789abcdef", "0123456789abcdex"} {
			wantErr(t, s.EndSession(ctx, first, prefix), ErrNotFound)
		}
		must(t, s.EndSession(ctx, first, second.Hash[:SessionPrefix]))
		all, err = s.SessionsOf(ctx, first, start)
		must(t, err)
		same(t, "sessions", all, []Session{first})
	})
}

func TestSecretSettingIsMadeUpOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		for _, made := range []string{"a", "b"} {
			got, err := s.SecretSetting(t.Context(), "k", func() string { return made })
			must(t, err)
			same(t, "setting", got, "a")
		}
	})
}
