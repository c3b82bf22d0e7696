package repo

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Upstream is a repository elsewhere whose branch this server follows.
type Upstream struct {
	// URL is an absolute path, or begins with file://, https:// or ssh://, or is git@host:path.
	URL string
	// Branch is the branch to follow; empty is main.
	Branch string
	// Poll is how often to look; the server chooses when it is zero.
	Poll time.Duration
	// Key is the path of a file: over SSH the private key, over HTTPS a token. Empty is none.
	Key string
	// KnownHosts is the path of the known_hosts file for SSH; empty is the one of the data folder.
	KnownHosts string
	// CA is the path of a PEM file with the authority of a forge with a private certificate.
	CA string
}

var (
	hostForm   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)
	ipv6Form   = regexp.MustCompile(`^[0-9A-Fa-f:.]{2,45}$`)
	userForm   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$`)
	pathForm   = regexp.MustCompile(`^[A-Za-z0-9_./~@%+,=-]{1,500}$`)
	textForm   = regexp.MustCompile(`^[a-z]+://[][A-Za-z0-9_./~@%+,=:-]+$`) // no query, no fragment
	scpForm    = regexp.MustCompile(`^([^@:/]+)@([^@:/]+):([^:]+)$`)
	branchForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}$`)
)

// CheckUpstream returns the scheme of a usable URL of an upstream: file, https or ssh. What is
// not on this short list of forms is refused, since git understands many more.
func CheckUpstream(text string) (string, error) {
	if strings.HasPrefix(text, "/") {
		return "file", checkPlace("file", "", "", text)
	}
	if m := scpForm.FindStringSubmatch(text); m != nil {
		return "ssh", checkPlace("ssh", m[1], m[2], "/"+strings.TrimPrefix(m[3], "/"))
	}
	u, err := url.Parse(text)
	if err != nil || !textForm.MatchString(text) || !strings.HasPrefix(text, u.Scheme+"://") {
		return "", badUpstream(text)
	}
	if _, secret := u.User.Password(); secret {
		return "", errors.New("the upstream URL has a password in it; put it into a file and name that as the key")
	}
	return u.Scheme, checkPlace(u.Scheme, u.User.Username(), u.Hostname(), u.EscapedPath())
}

func checkPlace(scheme, user, host, path string) error {
	place := user + "@" + host + path
	switch {
	case !pathForm.MatchString(path), strings.Contains(path, "/-"), strings.Contains(path, "/../"), strings.HasSuffix(path, "/.."):
		return badUpstream(place)
	case scheme == "file" && host == "" && user == "":
		return nil
	case scheme != "https" && scheme != "ssh", scheme == "https" && user != "":
		return badUpstream(place)
	case user != "" && !userForm.MatchString(user):
		return badUpstream(place)
	case !hostForm.MatchString(host) && !(strings.Contains(host, ":") && ipv6Form.MatchString(host)):
		return badUpstream(place)
	}
	return nil
}

func badUpstream(text string) error {
	return fmt.Errorf("the upstream %.100q is not usable: give an absolute path, https://HOST/PATH, ssh://USER@HOST/PATH or git@HOST:PATH", text)
}

// Fetch gets the upstream's branch and its release tags into references of their own, and
// returns the branch's newest commit. Nothing that the server uses is changed by it.
func (r *Repo) Fetch(ctx context.Context, up Upstream) (string, error) {
	scheme, err := CheckUpstream(up.URL)
	if err != nil {
		return "", err
	}
	if up.Branch == "" {
		up.Branch = "main"
	}
	if !branchForm.MatchString(up.Branch) || strings.Contains(up.Branch, "..") {
		return "", fmt.Errorf("the upstream branch %.60q is not usable", up.Branch)
	}
	env, err := r.fetchEnv(scheme, up)
	if err != nil {
		return "", err
	}
	_, err = r.runWith(ctx, fetchTime, env, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules",
		"--end-of-options", up.URL, "+refs/heads/"+up.Branch+":refs/upstream/main", "+"+tagPrefix+"*:"+upstreamPrefix+"*")
	if err != nil {
		return "", fmt.Errorf("cannot fetch %s of the upstream: %w", up.Branch, err)
	}
	return View{repo: r}.Resolve(ctx, "refs/upstream/main")
}

// fetchEnv lets git speak the one protocol of the URL and gives it the key for that.
func (r *Repo) fetchEnv(scheme string, up Upstream) ([]string, error) {
	set := []string{"transfer.fsckObjects", "true"}
	env := []string{"GIT_ALLOW_PROTOCOL=" + scheme}
	switch scheme {
	case "ssh":
		ssh, err := r.sshCommand(up)
		if err != nil {
			return nil, err
		}
		env = append(env, "GIT_SSH_COMMAND="+ssh, "GIT_SSH_VARIANT=ssh")
	case "https":
		set = append(set, "http.followRedirects", "false", "http.sslVerify", "true")
		if up.CA != "" {
			set = append(set, "http.sslCAInfo", up.CA)
		}
		if up.Key != "" {
			token, err := os.ReadFile(up.Key)
			if err != nil {
				return nil, fmt.Errorf("cannot read the token for the upstream: %w", err)
			}
			login := base64.StdEncoding.EncodeToString(append([]byte("plumb:"), bytes.TrimSpace(token)...))
			set = append(set, "http.extraHeader", "Authorization: Basic "+login)
		}
	}
	env = append(env, fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(set)/2))
	for i := 0; i < len(set); i += 2 {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i/2, set[i]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i/2, set[i+1]))
	}
	return env, nil
}

func (r *Repo) sshCommand(up Upstream) (string, error) {
	known := up.KnownHosts
	if known == "" {
		known = r.known
	}
	if _, err := os.Stat(known); err != nil {
		return "", fmt.Errorf("cannot tell the upstream's host from another: put its line of `ssh-keyscan HOST`, once you have checked it, into %s: %w", known, err)
	}
	if !filepath.IsAbs(up.Key) {
		return "", errors.New("an upstream over SSH needs the absolute path of a private key")
	}
	words := []string{"ssh", "-F", "/dev/null", "-i", quote(up.Key), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
		"-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "GlobalKnownHostsFile=/dev/null",
		"-o", quote("UserKnownHostsFile=" + strings.ReplaceAll(known, " ", `\ `)), "-o", "ConnectTimeout=30",
		"-o", "ServerAliveInterval=30", "-o", "ClearAllForwardings=yes", "-o", "PermitLocalCommand=no"}
	return strings.Join(words, " "), nil
}
