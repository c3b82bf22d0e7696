package authority

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/mod/sumdb/note"
)

// keyBox reads and makes key files in one folder.
type keyBox struct{ dir string }

// load returns the file's content, after making it when it is not there.
func (b keyBox) load(name string, fresh func() ([]byte, error)) ([]byte, error) {
	path := filepath.Join(b.dir, name)
	raw, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return raw, err
	}
	if raw, err = fresh(); err != nil {
		return nil, fmt.Errorf("cannot make the key %s: %w", name, err)
	}
	return raw, b.write(path, raw)
}

// write makes the key durable before anybody relies on it: a server that lost its CA after
// hosts had enrolled would have to enrol them all again.
func (b keyBox) write(path string, raw []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(b.dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (b keyBox) ecdsa(name string) (*ecdsa.PrivateKey, error) {
	raw, err := b.load(name, func() ([]byte, error) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		return encodeKey(key)
	})
	if err != nil {
		return nil, err
	}
	key, err := decodeKey(name, raw)
	if err != nil {
		return nil, err
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the key %s is not an ECDSA key", name)
	}
	return ec, nil
}

func (b keyBox) ssh(name string) (ssh.Signer, error) {
	raw, err := b.load(name, func() ([]byte, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		block, err := ssh.MarshalPrivateKey(key, "plumb")
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(block), nil
	})
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(raw)
	if err != nil {
		return nil, fmt.Errorf("cannot read the key %s: %w", name, err)
	}
	return signer, nil
}

// lease returns the signer and its verifier; the file holds one on each line.
func (b keyBox) lease(name string) (note.Signer, string, error) {
	raw, err := b.load(name, func() ([]byte, error) {
		secret, public, err := note.GenerateKey(rand.Reader, "plumb-lease")
		return []byte(secret + "\n" + public + "\n"), err
	})
	if err != nil {
		return nil, "", err
	}
	secret, public, _ := strings.Cut(strings.TrimSpace(string(raw)), "\n")
	signer, err := note.NewSigner(secret)
	if err != nil {
		return nil, "", fmt.Errorf("cannot read the key %s: %w", name, err)
	}
	return signer, public, nil
}

func (b keyBox) authority(name string, key *ecdsa.PrivateKey, now time.Time) (*x509.Certificate, error) {
	raw, err := b.load(name, func() ([]byte, error) { return selfSign(key, now) })
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("the certificate %s is not PEM", name)
	}
	return x509.ParseCertificate(block.Bytes)
}

func encodeKey(key any) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func decodeKey(name string, raw []byte) (any, error) {
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("the key %s is not PEM", name)
	}
	return x509.ParsePKCS8PrivateKey(block.Bytes)
}
