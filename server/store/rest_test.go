package store

import (
	"bytes"
	"testing"
	"time"

	"plumb/inventory"
)

func TestObjects(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		for name, raw := range map[string][]byte{
			"empty": {}, "small": []byte(`{}`), "large": bytes.Repeat([]byte(`{"a":1}`), 10_000), "binary": {0, 1, 255, 0},
		} {
			for _, kind := range []string{KindFacts, KindBundle} {
				ref := Ref{kind, inventory.Digest(raw)}
				missing, err := s.Missing(ctx, []Ref{ref})
				must(t, err)
				same(t, "missing before", missing, []Ref{ref})
				must(t, s.PutObject(ctx, ref, raw, start))
				must(t, s.PutObject(ctx, ref, raw, start))
				missing, err = s.Missing(ctx, []Ref{ref})
				must(t, err)
				same(t, "missing after", missing, []Ref{})
				got, err := s.Object(ctx, ref)
				must(t, err)
				if !bytes.Equal(got, raw) {
					t.Fatalf("Object(%s %s) = %d bytes, want %d", name, kind, len(got), len(raw))
				}
			}
		}
		wantErr(t, s.PutObject(ctx, Ref{KindFacts, inventory.Digest([]byte("a"))}, []byte("b"), start), ErrDigest)
		_, err := s.Object(ctx, Ref{KindTag, inventory.Digest([]byte("{}"))})
		wantErr(t, err, ErrNotFound)
	})
}

func TestDamagedObjectIsNoticed(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ref := Ref{KindBundle, inventory.Digest([]byte("abc"))}
		must(t, s.PutObject(t.Context(), ref, []byte("abc"), start))
		_, err := s.w.Exec(`UPDATE objects SET content = $1`, []byte("abd"))
		must(t, err)
		_, err = s.Object(t.Context(), ref)
		wantErr(t, err, ErrDigest)
	})
}

func TestReleases(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		_, err := s.LatestRelease(ctx)
		wantErr(t, err, ErrNotFound)
		release := func(n uint64) Release {
			return Release{Number: n, Commit: "c", Subject: "s", Author: "a", Committed: start, Made: start.Add(time.Second), Tag: "t",
				Bundle: "b", Size: 12, RollbackTo: n - 1, Signer: "alice", Key: "SHA256:x", Trial: true, Signers: "line\n"}
		}
		wantErr(t, s.AddRelease(ctx, release(2)), ErrConflict)
		for n := range uint64(3) {
			must(t, s.AddRelease(ctx, release(n+1)))
		}
		wantErr(t, s.AddRelease(ctx, release(3)), ErrConflict)
		latest, err := s.LatestRelease(ctx)
		must(t, err)
		same(t, "latest release", latest, release(3))
		page, err := s.Releases(ctx, 1, 3)
		must(t, err)
		same(t, "page", page, []Release{release(2)})
		_, err = s.Release(ctx, 9)
		wantErr(t, err, ErrNotFound)
	})
}

func TestPeople(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		alice := Author{Name: "alice", Key: "ssh-ed25519 AAAA", Fingerprint: "SHA256:a", Added: start, AddedBy: "root"}
		must(t, s.AddAuthor(ctx, alice))
		wantErr(t, s.AddAuthor(ctx, alice), ErrConflict)
		wantErr(t, s.AddAuthor(ctx, Author{Name: "bob", Fingerprint: "SHA256:a"}), ErrConflict)
		got, err := s.AuthorByFingerprint(ctx, "SHA256:a")
		must(t, err)
		same(t, "author", got, alice)
		all, err := s.Authors(ctx)
		must(t, err)
		same(t, "authors", all, []Author{alice})
		must(t, s.RemoveAuthor(ctx, "alice"))
		wantErr(t, s.RemoveAuthor(ctx, "alice"), ErrNotFound)

		must(t, s.AddAct(ctx, Act{At: start, Who: "alice", What: "token create", Detail: "t1"}))
		must(t, s.AddAct(ctx, Act{At: start, Who: "bob", What: "revoke", Detail: "web1"}))
		acts, err := s.Acts(ctx, 1)
		must(t, err)
		same(t, "newest act", acts, []Act{{ID: acts[0].ID, At: start, Who: "bob", What: "revoke", Detail: "web1"}})

		wantErr(t, s.CreateToken(ctx, Token{ID: "t", Hash: "h"}), nil)
		wantErr(t, s.CreateToken(ctx, Token{ID: "t", Hash: "h2"}), ErrConflict)
		wantErr(t, s.RevokeToken(ctx, "nothing", start), ErrNotFound)
		tokens, err := s.Tokens(ctx)
		must(t, err)
		same(t, "tokens", tokens, []Token{{ID: "t", Hash: "h", Labels: map[string]string{}}})
	})
}

func TestSessionsAndSettings(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		end := start.Add(time.Minute)
		must(t, s.CreateSignIn(ctx, SignIn{Hash: "c", Role: "viewer", Name: "alice", Expires: end}))
		must(t, s.CreateSignIn(ctx, SignIn{Hash: "late", Role: "viewer", Name: "alice", Expires: end}))
		in, err := s.UseSignIn(ctx, "c", start)
		must(t, err)
		same(t, "sign-in", in, SignIn{Hash: "c", Role: "viewer", Name: "alice", Expires: end})
		_, err = s.UseSignIn(ctx, "c", start)
		wantErr(t, err, ErrNotFound)
		_, err = s.UseSignIn(ctx, "late", end)
		wantErr(t, err, ErrNotFound)

		session := Session{Hash: "s", Role: "viewer", Name: "alice", Expires: end}
		must(t, s.CreateSession(ctx, session))
		got, err := s.Session(ctx, "s", start)
		must(t, err)
		same(t, "session", got, session)
		_, err = s.Session(ctx, "s", end)
		wantErr(t, err, ErrNotFound)
		must(t, s.DeleteSession(ctx, "s"))
		must(t, s.DeleteSession(ctx, "s"))
		_, err = s.Session(ctx, "s", start)
		wantErr(t, err, ErrNotFound)

		_, err = s.Setting(ctx, "k")
		wantErr(t, err, ErrNotFound)
		must(t, s.SetSetting(ctx, "k", "1"))
		must(t, s.SetSetting(ctx, "k", "2"))
		value, err := s.Setting(ctx, "k")
		must(t, err)
		same(t, "setting", value, "2")
	})
}

func TestForget(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		end := start.Add(time.Hour)
		must(t, s.CreateSession(ctx, Session{Hash: "old", Expires: start}))
		must(t, s.CreateSession(ctx, Session{Hash: "new", Expires: end}))
		must(t, s.CreateSignIn(ctx, SignIn{Hash: "new", Name: "alice", Expires: end}))
		must(t, s.Forget(ctx, start))
		_, err := s.Session(ctx, "old", start.Add(-time.Hour))
		wantErr(t, err, ErrNotFound)
		_, err = s.Session(ctx, "new", start)
		must(t, err)
		_, err = s.UseSignIn(ctx, "new", start)
		must(t, err)
	})
}
