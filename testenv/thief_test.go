package testenv_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hiddeco/sshsig"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies/bundle"
	"plumb/server/authority"
	"plumb/server/sshd"
)

// thief is somebody who owns the server: he has all of its keys and stands in its place. He
// has no author's key. He offers one release to one host.
type thief struct {
	keys   *authority.Authority
	host   inventory.HostID
	offer  protocol.Release
	tag    []byte
	bundle []byte
	end    func() // closes his doors and waits for it
}

// cmdThief is:
//
//	thief offers N HOST        the genuine release N, with its author's signature
//	thief forges N HOST        $WORK/policy as it is, as release N, signed by the thief's own key
//	thief leaves
//
// The server must be stopped while he is there.
func cmdThief(ts *testscript.TestScript, s *scene, args []string) error {
	if len(args) == 1 && args[0] == "leaves" && s.thief != nil {
		s.thief.end()
		s.thief = nil
		return nil
	}
	if len(args) != 3 || s.thief != nil {
		return errors.New("usage: thief offers|forges N HOST, then thief leaves")
	}
	number, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return err
	}
	keys, err := authority.Open(s.keys(), time.Now())
	if err != nil {
		return err
	}
	t := &thief{keys: keys}
	if t.host, err = s.hostID(args[2]); err != nil {
		return err
	}
	if args[0] == "forges" {
		err = t.forge(s, number)
	} else {
		err = t.take(s, number)
	}
	if err != nil {
		return err
	}
	if err := t.serve(s); err != nil {
		return err
	}
	s.thief = t
	return nil
}

// take gets a release out of the server's repository. His bundle is the very same bytes as
// that of the server, so nothing but the release's age can give him away.
func (t *thief) take(s *scene, number uint64) (err error) {
	if t.tag, err = s.git("cat-file", "tag", protocol.TagName(number)); err != nil {
		return err
	}
	archive, err := s.git("archive", "--format=tar", protocol.TagName(number))
	if err != nil {
		return err
	}
	if t.bundle, err = repack(archive); err != nil {
		return err
	}
	digest := inventory.Digest(t.bundle)
	if !bytes.Contains(t.tag, []byte("plumb-bundle: "+digest+"\n")) {
		return fmt.Errorf("the thief is no good: release %d has another bundle than %s", number, digest)
	}
	t.offer = protocol.Release{Number: number, Bundle: digest}
	return nil
}

// forge makes a release of the working tree and signs it with a key that nobody knows.
func (t *thief) forge(s *scene, number uint64) error {
	stash, err := s.git("stash", "create")
	if err != nil {
		return err
	}
	commit := strings.TrimSpace(string(stash))
	if commit == "" {
		return errors.New("the thief has changed nothing in the policy")
	}
	archive, err := s.git("archive", "--format=tar", commit)
	if err != nil {
		return err
	}
	if t.bundle, err = repack(archive); err != nil {
		return err
	}
	t.offer = protocol.Release{
		Number: number, Commit: commit, RollbackTo: number - 1, Tagged: time.Now().UTC(),
		Bundle: inventory.Digest(t.bundle), Size: int64(len(t.bundle)),
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return err
	}
	payload := t.offer.Payload("Alice <alice@example.org>")
	signature, err := sshsig.Sign(bytes.NewReader(payload), signer, sshsig.HashSHA512, protocol.Namespace)
	t.tag = append(payload, sshsig.Armor(signature)...)
	return err
}

// repack turns an archive of git into a bundle.
func repack(archive []byte) ([]byte, error) {
	tree := bundle.Tree{}
	files := tar.NewReader(bytes.NewReader(archive))
	for {
		head, err := files.Next()
		if err == io.EOF {
			return bundle.Pack(tree)
		}
		if err != nil {
			return nil, err
		}
		if head.Typeflag != tar.TypeReg {
			continue
		}
		if tree[head.Name], err = io.ReadAll(files); err != nil {
			return nil, err
		}
	}
}

// serve opens the doors that agents know.
func (t *thief) serve(s *scene) error {
	certificate, err := t.keys.ServerCertificate(nil, time.Now())
	if err != nil {
		return err
	}
	https, err := s.world.Listen(":7444")
	if err != nil {
		return err
	}
	plain, err := s.world.Listen(":7022")
	if err != nil {
		return errors.Join(err, https.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	web := &http.Server{Handler: t, TLSConfig: &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate},
		ClientAuth: tls.RequireAnyClientCert,
	}}
	door := &sshd.Server{
		HostKey: t.keys.SSHHostKey(), Handler: t,
		Authors: func(context.Context, string) (string, error) { return "", sshd.ErrUnknown },
		Hosts:   func(context.Context, string) (inventory.HostID, error) { return t.host, nil },
	}
	var doors sync.WaitGroup
	doors.Go(func() { web.ServeTLS(https, "", "") })
	doors.Go(func() { door.Serve(ctx, plain) })
	t.end = func() { cancel(); web.Close(); https.Close(); doors.Wait() }
	return nil
}

// ServeHTTP does what a server does for agents, without looking at what they report.
func (t *thief) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == protocol.PathCheckIn:
		t.answer(w, r)
	case strings.HasPrefix(r.URL.Path, protocol.PathTags):
		w.Write(t.tag)
	case strings.HasPrefix(r.URL.Path, protocol.PathBundles):
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(t.bundle))
	default:
		io.WriteString(w, "{}\n")
	}
}

func (t *thief) answer(w http.ResponseWriter, r *http.Request) {
	var in protocol.CheckIn
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	now := time.Now().UTC()
	lease, err := t.keys.SignLease(protocol.Lease{
		Host: t.host, Counter: in.Counter + 1,
		Release: t.offer.Number, Tag: inventory.Digest(t.tag), Bundle: t.offer.Bundle,
		Issued: now, Expires: now.Add(time.Hour),
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	out := protocol.Answer{Lease: lease, Want: []string{}, Interval: 60}
	if last := len(in.Reports) - 1; last >= 0 {
		out.Epoch, out.Accepted = in.Reports[last].Epoch, in.Reports[last].Seq
	}
	json.NewEncoder(w).Encode(out)
}

func (s *scene) keys() string { return filepath.Join(s.data(), "keys") }

// hostID is under which ID the server knew a host before it was stopped; see cmdEnrol.
func (s *scene) hostID(name string) (inventory.HostID, error) {
	id, ok := s.ids[name]
	if !ok {
		return "", fmt.Errorf("%s has not enrolled", name)
	}
	return id, nil
}

// rememberIDs asks the server for the IDs of all hosts.
func (s *scene) rememberIDs() error {
	out, err := s.output("hosts", "--json")
	if err != nil {
		return err
	}
	var hosts []struct {
		ID   inventory.HostID `json:"id"`
		Name string           `json:"name"`
	}
	if err := json.Unmarshal([]byte(out), &hosts); err != nil {
		return err
	}
	for _, h := range hosts {
		s.ids[h.Name] = h.ID
	}
	return nil
}

// git runs git in the author's clone, with the server's releases in it.
func (s *scene) git(args ...string) ([]byte, error) {
	dir := filepath.Join(s.work, "policy")
	out, err := s.command(dir, "git", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("cannot run git %v: %w", args, err)
	}
	return out, nil
}
