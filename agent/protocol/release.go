package protocol

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hiddeco/sshsig"
)

// Release is what a signed tag says: this commit, packed as this bundle, may run.
type Release struct {
	// Number counts releases of a repository from 1.
	Number uint64
	// Commit is the Git commit, 40 hexadecimal digits.
	Commit string
	// Bundle is the SHA-256 of the packed tree, Size its length in bytes.
	Bundle string
	Size   int64
	// RollbackTo is the oldest release that may take this one's place again.
	RollbackTo uint64
	// Tagged is when the signer says it was made.
	Tagged time.Time
	// Signer is the principal whose pinned key signed it, Key that key's SHA-256 fingerprint.
	Signer string
	Key    string
}

// TagName is the name of the tag that holds a release.
func TagName(number uint64) string { return "release/" + strconv.FormatUint(number, 10) }

// Message is the text of the tag, to be signed with `git tag -s`.
func (r Release) Message() string {
	return fmt.Sprintf("Release %d\n\nplumb-release: %d\nplumb-bundle: %s\nplumb-size: %d\nplumb-rollback-to: %d\n",
		r.Number, r.Number, r.Bundle, r.Size, r.RollbackTo)
}

// Payload is the whole tag object without its signature, as Git would write and sign it.
func (r Release) Payload(tagger string) []byte {
	return fmt.Appendf(nil, "object %s\ntype commit\ntag %s\ntagger %s %d +0000\n\n%s",
		r.Commit, TagName(r.Number), tagger, r.Tagged.Unix(), r.Message())
}

const sigStart = "-----BEGIN SSH SIGNATURE-----\n"

// Namespace is the namespace of SSH signatures that Git uses.
const Namespace = "git"

// OpenRelease verifies a raw tag object with the pinned signers and returns the release in it.
func OpenRelease(tag []byte, signers Signers) (Release, error) {
	if len(tag) > MaxTag {
		return Release{}, fmt.Errorf("the release tag has %d bytes; %d is the most", len(tag), MaxTag)
	}
	at := bytes.Index(tag, []byte("\n"+sigStart))
	if at < 0 {
		return Release{}, fmt.Errorf("the release tag is not signed with an SSH key")
	}
	payload, armor := tag[:at+1], tag[at+1:]
	signer, err := signers.verify(payload, armor)
	if err != nil {
		return Release{}, err
	}
	r, err := parseRelease(payload)
	if err != nil {
		return Release{}, err
	}
	if !signer.validAt(r.Tagged) {
		return Release{}, fmt.Errorf("the key of %s was not valid at %s, when the release was tagged", signer.Principal, r.Tagged.Format(time.RFC3339))
	}
	r.Signer, r.Key = signer.Principal, signer.Fingerprint()
	return r, nil
}

func (s Signers) verify(payload, armor []byte) (Signer, error) {
	sig, err := sshsig.Unarmor(armor)
	if err != nil {
		return Signer{}, fmt.Errorf("cannot read the release's signature: %w", err)
	}
	for _, one := range s {
		if !bytes.Equal(one.Key.Marshal(), sig.PublicKey.Marshal()) {
			continue
		}
		if err := sshsig.Verify(bytes.NewReader(payload), sig, one.Key, sig.HashAlgorithm, Namespace); err != nil {
			return Signer{}, fmt.Errorf("the release's signature is wrong: %w", err)
		}
		return one, nil
	}
	return Signer{}, fmt.Errorf("the release is signed by a key that is not pinned (%s)", fingerprint(sig.PublicKey))
}

var payloadForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^object ([0-9a-f]{40})\ntype commit\ntag (release/[1-9][0-9]{0,18})\ntagger [^\n]* ([0-9]{1,12}) [+-][0-9]{4}\n\n((?s).*)$`)
})

func parseRelease(payload []byte) (Release, error) {
	m := payloadForm().FindSubmatch(payload)
	if m == nil {
		return Release{}, fmt.Errorf("the release tag does not have the form of a release")
	}
	r := Release{Commit: string(m[1])}
	seconds, err := strconv.ParseInt(string(m[3]), 10, 64)
	if err != nil {
		return Release{}, fmt.Errorf("the release tag has no usable time: %w", err)
	}
	r.Tagged = time.Unix(seconds, 0).UTC()
	if err := r.readMessage(string(m[4])); err != nil {
		return Release{}, err
	}
	if TagName(r.Number) != string(m[2]) {
		return Release{}, fmt.Errorf("the tag %s says that it is release %d", m[2], r.Number)
	}
	return r, nil
}

var (
	hexDigest = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{64}$`) })
	trailer   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?m)^plumb-([a-z-]+): (\S+)$`) })
)

func (r *Release) readMessage(text string) error {
	seen := map[string]string{}
	for _, m := range trailer().FindAllStringSubmatch(text, -1) {
		if _, twice := seen[m[1]]; twice {
			return fmt.Errorf("the release tag says plumb-%s twice", m[1])
		}
		seen[m[1]] = m[2]
	}
	var errs [3]error
	var size uint64
	r.Number, errs[0] = strconv.ParseUint(seen["release"], 10, 63)
	size, errs[1] = strconv.ParseUint(seen["size"], 10, 62)
	r.RollbackTo, errs[2] = strconv.ParseUint(seen["rollback-to"], 10, 63)
	r.Size, r.Bundle = int64(size), seen["bundle"]
	if errs != [3]error{} || !hexDigest().MatchString(r.Bundle) || r.Number == 0 || r.RollbackTo > r.Number {
		return fmt.Errorf("the release tag lacks a usable plumb-release, -bundle, -size or -rollback-to: %s", firstLine(text))
	}
	return nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return fmt.Sprintf("%.80q", line)
}
