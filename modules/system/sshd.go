package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// SSHDDropIns is the folder whose files Debian's sshd_config includes first.
const SSHDDropIns = "/etc/ssh/sshd_config.d"

const sshdLimit = 20 * time.Second

// ErrNoPrivsep is wrapped while sshd has no folder to give its rights away in. The service
// makes it when it starts; a check must not.
var ErrNoPrivsep = errors.New("sshd cannot be asked before its service has run")

// SSHDConnection selects the Match blocks that apply; empty parts are not tested.
type SSHDConnection struct {
	User, Host, Addr string
}

func (c SSHDConnection) args() []string {
	var parts []string
	for _, one := range [][2]string{{"user=", c.User}, {"host=", c.Host}, {"addr=", c.Addr}} {
		if one[1] != "" {
			parts = append(parts, one[0]+one[1])
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return []string{"-C", strings.Join(parts, ",")}
}

// sshdMemory keeps what sshd said until one of its files changes.
type sshdMemory struct {
	mu     sync.Mutex
	digest string
	said   map[SSHDConnection]map[string][]string
}

// SSHD returns the configuration that sshd would run with, by keyword in small letters. A
// keyword that may be given many times has many values.
func (s *System) SSHD(ctx context.Context, c SSHDConnection) (map[string][]string, error) {
	_, digest, err := s.SSHDSettings()
	if err != nil {
		return nil, err
	}
	s.sshd.mu.Lock()
	defer s.sshd.mu.Unlock()
	if s.sshd.digest != digest || s.sshd.said == nil {
		s.sshd.digest, s.sshd.said = digest, map[SSHDConnection]map[string][]string{}
	}
	if known, ok := s.sshd.said[c]; ok {
		return known, nil
	}
	out, err := s.askSSHD(ctx, append([]string{"-T"}, c.args()...)...)
	if err != nil {
		return nil, err
	}
	s.sshd.said[c] = parseSSHD(out)
	return s.sshd.said[c], nil
}

// CanonicalSSHD returns the value as sshd itself would print it: "1m" is 60, and
// "prohibit-password" is "without-password".
func (s *System) CanonicalSSHD(ctx context.Context, keyword, value string) (string, error) {
	out, err := s.askSSHD(ctx, "-T", "-f", "/dev/null", "-o", keyword+" "+value)
	if err != nil {
		return "", err
	}
	return strings.Join(parseSSHD(out)[strings.ToLower(keyword)], " "), nil
}

// TestSSHD tells whether sshd would take the file as its configuration.
func (s *System) TestSSHD(ctx context.Context, file string) error {
	_, err := s.askSSHD(ctx, "-t", "-f", file)
	return err
}

// askSSHD runs sshd in one of its test modes. A host whose keys are not made yet gets a
// throw-away key for the question.
func (s *System) askSSHD(ctx context.Context, args ...string) (string, error) {
	out, err := s.Run(ctx, Command{Argv: append([]string{"sshd"}, args...), Timeout: sshdLimit})
	if err != nil {
		return "", err
	}
	if out.Code != 0 && strings.Contains(string(out.Stderr), "no hostkeys available") {
		key, forget, keyErr := s.throwAwayKey(ctx)
		if keyErr != nil {
			return "", keyErr
		}
		defer forget()
		out, err = s.Run(ctx, Command{Argv: append([]string{"sshd", "-h", key}, args...), Timeout: sshdLimit})
	}
	switch {
	case err != nil:
		return "", err
	case out.Code != 0 && strings.Contains(string(out.Stderr), "Missing privilege separation directory"):
		return "", fmt.Errorf("%w: %s", ErrNoPrivsep, out.LastWords())
	case out.Code != 0:
		return "", fmt.Errorf("sshd refuses its configuration: %s", out.LastWords())
	}
	return string(out.Stdout), nil
}

func (s *System) throwAwayKey(ctx context.Context) (key string, forget func(), err error) {
	dir, err := os.MkdirTemp(s.State, "sshd-key-")
	if err != nil {
		return "", nil, fmt.Errorf("cannot make a key for sshd: %w", err)
	}
	forget = func() { _ = os.RemoveAll(dir) }
	key = filepath.Join(dir, "key")
	if _, err := s.must(ctx, Command{Argv: []string{"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key}, Timeout: sshdLimit}); err != nil {
		forget()
		return "", nil, fmt.Errorf("cannot make a key for sshd: %w", err)
	}
	return key, forget, nil
}

// parseSSHD reads the "keyword value" lines of sshd -T.
func parseSSHD(out string) map[string][]string {
	found := map[string][]string{}
	for line := range strings.Lines(out) {
		keyword, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if keyword != "" {
			keyword = strings.ToLower(keyword)
			found[keyword] = append(found[keyword], strings.TrimSpace(value))
		}
	}
	return found
}
