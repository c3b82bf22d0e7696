package testenv

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// AptRepository is a folder of Debian packages in signed suites, as a mirror would serve it.
type AptRepository struct {
	// Origin is what its suites say whose packages they hold, Test unless said.
	Origin string

	dir string
}

// AptPackage is a small package that a test makes. It holds a program that prints the package's
// name and version, and a configuration file /etc/NAME.conf.
type AptPackage struct {
	Name    string
	Version string
	// Depends is the field of that name, empty for none.
	Depends string
	// Postinst is shell that runs after unpacking.
	Postinst string
	// Files are further files, path to content; those in /etc are configuration files, and those
	// in a folder bin are programs.
	Files map[string]string
}

// NewAptRepository makes an empty repository in dir, with a signing key of its own.
func NewAptRepository(ctx context.Context, dir string) (*AptRepository, error) {
	r := &AptRepository{Origin: "Test", dir: dir}
	if err := os.MkdirAll(r.gnupg(), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make a package repository: %w", err)
	}
	if err := os.MkdirAll(r.Served(), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make a package repository: %w", err)
	}
	err := r.gpg(ctx, "--batch", "--passphrase", "", "--quick-gen-key", "Test repository <repository@testenv>", "ed25519", "sign", "never")
	if err != nil {
		return nil, err
	}
	return r, r.gpg(ctx, "--export", "--output", filepath.Join(r.Served(), "key.gpg"))
}

// Served is the folder to serve over HTTP: pool, dists and key.gpg.
func (r *AptRepository) Served() string { return filepath.Join(r.dir, "served") }

// Handler serves the repository. It never answers that nothing changed: a test publishes twice
// in one second, and that is as finely as HTTP tells times apart.
func (r *AptRepository) Handler() http.Handler {
	files := http.FileServer(http.Dir(r.Served()))
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		req.Header.Del("If-Modified-Since")
		files.ServeHTTP(w, req)
	})
}

func (r *AptRepository) gnupg() string { return filepath.Join(r.dir, "gnupg") }

// Publish adds packages to a suite and signs it anew. Its Label is ORIGIN-SUITE; patch policies go
// by that and by the Origin.
func (r *AptRepository) Publish(ctx context.Context, suite string, packages ...AptPackage) error {
	for _, p := range packages {
		if err := r.build(ctx, suite, p); err != nil {
			return err
		}
	}
	return r.index(ctx, suite)
}

// Add takes packages that somebody else made into a suite and signs it anew.
func (r *AptRepository) Add(ctx context.Context, suite string, files ...string) error {
	pool := filepath.Join(r.Served(), "pool", suite)
	if err := os.MkdirAll(pool, 0o755); err != nil {
		return fmt.Errorf("cannot add to a suite: %w", err)
	}
	for _, file := range files {
		if err := runAll(ctx, "cp "+quoteShell(file)+" "+quoteShell(pool)); err != nil {
			return err
		}
	}
	return r.index(ctx, suite)
}

func (r *AptRepository) index(ctx context.Context, suite string) error {
	pool, dists := filepath.Join("pool", suite), filepath.Join("dists", suite)
	binary := filepath.Join(dists, "main", "binary-amd64")
	if err := os.MkdirAll(filepath.Join(r.Served(), binary), 0o755); err != nil {
		return fmt.Errorf("cannot make a suite: %w", err)
	}
	if err := r.ftparchive(ctx, filepath.Join(binary, "Packages"), "packages", pool); err != nil {
		return err
	}
	if err := r.ftparchive(ctx, filepath.Join(dists, "Release"), append(r.releaseFields(suite), "release", dists)...); err != nil {
		return err
	}
	release := filepath.Join(r.Served(), dists, "Release")
	signed := filepath.Join(r.dir, "InRelease") // a host may fetch it at any moment: it is whole or not there
	if err := r.gpg(ctx, "--batch", "--yes", "--clearsign", "--output", signed, release); err != nil {
		return err
	}
	return os.Rename(signed, filepath.Join(r.Served(), dists, "InRelease"))
}

func (r *AptRepository) releaseFields(suite string) []string {
	var options []string
	for _, field := range []string{
		"Origin=" + r.Origin, "Label=" + r.Origin + "-" + suite, "Suite=" + suite, "Codename=" + suite,
		"Architectures=amd64", "Components=main",
	} {
		options = append(options, "-o", "APT::FTPArchive::Release::"+field)
	}
	return options
}

// ftparchive runs apt-ftparchive in the served folder and keeps what it prints. The old file goes
// first, or a release would list itself.
func (r *AptRepository) ftparchive(ctx context.Context, to string, args ...string) error {
	to = filepath.Join(r.Served(), to)
	if err := os.RemoveAll(to); err != nil {
		return fmt.Errorf("cannot index a suite: %w", err)
	}
	cmd := exec.CommandContext(ctx, "apt-ftparchive", args...)
	cmd.Dir = r.Served()
	index, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("cannot index a suite: %w", err)
	}
	return os.WriteFile(to, index, 0o644)
}

func (r *AptRepository) gpg(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "gpg", append([]string{"--quiet", "--ignore-time-conflict", "--ignore-valid-from", "--homedir", r.gnupg()}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot sign: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return nil
}

// build makes the .deb in the pool of a suite.
func (r *AptRepository) build(ctx context.Context, suite string, p AptPackage) error {
	tree, err := os.MkdirTemp(r.dir, "build-")
	if err != nil {
		return fmt.Errorf("cannot build %s: %w", p.Name, err)
	}
	defer os.RemoveAll(tree)
	for path, content := range p.tree() {
		if err := writeTree(filepath.Join(tree, path), content); err != nil {
			return fmt.Errorf("cannot build %s: %w", p.Name, err)
		}
	}
	pool := filepath.Join(r.Served(), "pool", suite)
	deb := filepath.Join(pool, p.Name+"_"+strings.ReplaceAll(p.Version, ":", "%3a")+"_all.deb")
	return runAll(ctx,
		"chmod 755 "+tree+" && mkdir -p "+pool,
		"dpkg-deb -Zgzip --root-owner-group --build "+tree+" "+quoteShell(deb),
	)
}

// tree is everything that the package consists of, path to content.
func (p AptPackage) tree() map[string]string {
	files := map[string]string{
		"/usr/bin/" + p.Name:       fmt.Sprintf("#!/bin/sh\necho %s %s\n", p.Name, p.Version),
		"/etc/" + p.Name + ".conf": "setting = default of " + p.Version + "\n",
	}
	for path, content := range p.Files {
		files[path] = content
	}
	var conffiles []string
	for path := range files {
		if strings.HasPrefix(path, "/etc/") {
			conffiles = append(conffiles, path+"\n")
		}
	}
	slices.Sort(conffiles)
	files["/DEBIAN/conffiles"] = strings.Join(conffiles, "")
	files["/DEBIAN/control"] = p.control()
	if p.Postinst != "" {
		files["/DEBIAN/postinst"] = "#!/bin/sh\nset -e\n" + p.Postinst + "\n"
	}
	return files
}

func (p AptPackage) control() string {
	control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: all\nSection: misc\nPriority: optional\n"+
		"Maintainer: Test <test@testenv>\nDescription: a package to test with\n", p.Name, p.Version)
	if p.Depends != "" {
		control += "Depends: " + p.Depends + "\n"
	}
	return control
}

// writeTree writes one file of a package; programs and package scripts may be run.
func writeTree(path, content string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if strings.Contains(path, "/bin/") || strings.HasSuffix(path, "/DEBIAN/postinst") {
		mode = 0o755
	}
	return os.WriteFile(path, []byte(content), mode)
}

// UseRepository lets the host's apt install from a suite served at url, trusting its key alone.
func (h *Host) UseRepository(r *AptRepository, url, suite string) error {
	const keyring = "/etc/apt/keyrings/testenv.gpg"
	if err := h.Copy(filepath.Join(r.Served(), "key.gpg"), keyring, 0o644); err != nil {
		return err
	}
	source := fmt.Sprintf("deb [signed-by=%s] %s %s main\n", keyring, url, suite)
	return h.Write("/etc/apt/sources.list.d/testenv-"+suite+".list", strings.NewReader(source), 0o644)
}
