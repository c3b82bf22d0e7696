package testenv

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// RPMRepository is a folder of RPM packages in signed repositories, as a mirror would serve it.
type RPMRepository struct {
	dir string
}

// RPMPackage is a small package that a test makes. It holds a program that prints the package's
// name and version, and a configuration file /etc/NAME.conf.
type RPMPackage struct {
	Name string
	// Version is [epoch:]version[-release]; the release is 1 when none is named.
	Version string
	// Arch is noarch when empty.
	Arch string
	// Requires, Conflicts, Obsoletes and Provides are the tags of these names, empty for none.
	Requires, Conflicts, Obsoletes, Provides string
	// Post is shell that runs after the files are there.
	Post string
	// Files are further files, path to content; those in /etc are configuration files, and those
	// in a folder bin are programs.
	Files map[string]string
	// Bare leaves the program and the configuration file out: for packages of which several
	// versions are installed side by side.
	Bare bool
	// Replace lets a new configuration file take the place of a changed one: a plain %config.
	Replace bool
}

// RPMNotice is an advisory in a repository's updateinfo.
type RPMNotice struct {
	// ID names it; Type is security, bugfix or enhancement.
	ID, Type string
	// Severity is in the words of the distribution: Critical, Important, Moderate, Low, None.
	Severity string
	CVEs     []string
	// Reboot asks for one after it.
	Reboot bool
	// Fixes are the packages that answer it.
	Fixes []RPMPackage
}

// NewRPMRepository makes an empty repository in dir, with a signing key of its own.
func NewRPMRepository(ctx context.Context, dir string) (*RPMRepository, error) {
	r := &RPMRepository{dir: dir}
	for _, folder := range []string{r.gnupg(), r.Served()} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, fmt.Errorf("cannot make a package repository: %w", err)
		}
	}
	if err := os.Chmod(r.gnupg(), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make a package repository: %w", err)
	}
	err := r.run(ctx, "gpg", "--quiet", "--batch", "--passphrase", "", "--quick-gen-key", rpmKeyName, "rsa2048", "sign", "never")
	if err != nil {
		return nil, err
	}
	return r, r.run(ctx, "gpg", "--quiet", "--armor", "--export", "--output", filepath.Join(r.Served(), "key.asc"))
}

const rpmKeyName = "repository@testenv"

// Served is the folder to serve over HTTP: a folder for each repository, and key.asc.
func (r *RPMRepository) Served() string { return filepath.Join(r.dir, "served") }

// Handler serves it, as that of AptRepository does.
func (r *RPMRepository) Handler() http.Handler {
	return (&AptRepository{dir: r.dir}).Handler()
}

func (r *RPMRepository) gnupg() string { return filepath.Join(r.dir, "gnupg") }

// Publish adds packages to a repository, and signs packages and index.
func (r *RPMRepository) Publish(ctx context.Context, repository string, packages ...RPMPackage) error {
	if err := os.MkdirAll(filepath.Join(r.Served(), repository), 0o755); err != nil {
		return fmt.Errorf("cannot make a repository: %w", err)
	}
	if err := r.buildAll(ctx, repository, packages); err != nil {
		return err
	}
	return r.index(ctx, repository)
}

// Withdraw takes the package files of a version out of a repository.
func (r *RPMRepository) Withdraw(ctx context.Context, repository string, p RPMPackage) error {
	if err := os.Remove(filepath.Join(r.Served(), repository, p.file())); err != nil {
		return fmt.Errorf("cannot withdraw %s: %w", p.Name, err)
	}
	return r.index(ctx, repository)
}

// Announce replaces what a repository says about its updates.
func (r *RPMRepository) Announce(ctx context.Context, repository string, notices ...RPMNotice) error {
	var all strings.Builder
	for _, n := range notices {
		all.WriteString(n.xml())
	}
	content := "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<updates>\n" + all.String() + "</updates>\n"
	if err := os.WriteFile(r.updateinfo(repository), []byte(content), 0o644); err != nil {
		return fmt.Errorf("cannot announce updates: %w", err)
	}
	return r.index(ctx, repository)
}

func (r *RPMRepository) updateinfo(repository string) string {
	return filepath.Join(r.dir, repository, "updateinfo.xml")
}

// index lists the packages of a repository anew, and signs the list.
func (r *RPMRepository) index(ctx context.Context, repository string) error {
	served := filepath.Join(r.Served(), repository)
	if err := os.MkdirAll(filepath.Dir(r.updateinfo(repository)), 0o755); err != nil {
		return fmt.Errorf("cannot index a repository: %w", err)
	}
	if err := r.run(ctx, "createrepo_c", "--quiet", "--no-database", served); err != nil {
		return err
	}
	repodata := filepath.Join(served, "repodata")
	if _, err := os.Stat(r.updateinfo(repository)); err == nil {
		if err := r.run(ctx, "modifyrepo_c", "--mdtype=updateinfo", r.updateinfo(repository), repodata); err != nil {
			return err
		}
	}
	repomd := filepath.Join(repodata, "repomd.xml")
	if err := r.run(ctx, "cp", filepath.Join(r.Served(), "key.asc"), repomd+".key"); err != nil {
		return err
	}
	return r.run(ctx, "gpg", "--quiet", "--batch", "--yes", "--armor", "--detach-sign", repomd)
}

// run runs a program with the repository's key ring.
func (r *RPMRepository) run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "GNUPGHOME="+r.gnupg(), "LC_ALL=C.UTF-8")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot run %s: %w: %s", name, err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}

// UseRPMRepository lets the host's dnf or zypper install from a repository served at url,
// trusting its key alone.
func (h *Host) UseRPMRepository(url, repository string) error {
	folder := "/etc/yum.repos.d/"
	if h.flavour == Zypper {
		folder = "/etc/zypp/repos.d/"
	}
	config := fmt.Sprintf("[%s]\nname=Test %s\nbaseurl=%s%s\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey=%skey.asc\n",
		repository, repository, url, repository, url)
	return h.Write(folder+repository+".repo", strings.NewReader(config), 0o644)
}
