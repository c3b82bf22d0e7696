package testenv

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// buildAll makes and signs packages in a repository.
func (r *RPMRepository) buildAll(ctx context.Context, repository string, packages []RPMPackage) error {
	if len(packages) == 0 {
		return nil
	}
	work, err := os.MkdirTemp(r.dir, "build-")
	if err != nil {
		return fmt.Errorf("cannot build packages: %w", err)
	}
	defer os.RemoveAll(work)
	group, inGroup := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	sign := []string{"--define", "__gpg /usr/bin/gpg", "--define", "_gpg_name " + rpmKeyName, "--define", "_gpg_path " + r.gnupg(), "--addsign"}
	for _, p := range packages {
		sign = append(sign, filepath.Join(work, p.file()))
		group.Go(func() error { return r.build(inGroup, work, p) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := r.run(ctx, "rpmsign", sign...); err != nil {
		return err
	}
	for _, p := range packages {
		if err := os.Rename(filepath.Join(work, p.file()), filepath.Join(r.Served(), repository, p.file())); err != nil {
			return fmt.Errorf("cannot publish %s: %w", p.Name, err)
		}
	}
	return nil
}

// build makes the .rpm in the folder work.
func (r *RPMRepository) build(ctx context.Context, work string, p RPMPackage) error {
	own := filepath.Join(work, "of-"+p.file())
	tree, spec := filepath.Join(own, "tree"), filepath.Join(own, "package.spec")
	for path, content := range p.tree() {
		if err := writeTree(filepath.Join(tree, path), content); err != nil {
			return fmt.Errorf("cannot build %s: %w", p.Name, err)
		}
	}
	if err := os.MkdirAll(tree, 0o755); err != nil {
		return fmt.Errorf("cannot build %s: %w", p.Name, err)
	}
	if err := os.WriteFile(spec, []byte(p.spec(tree)), 0o644); err != nil {
		return fmt.Errorf("cannot build %s: %w", p.Name, err)
	}
	return r.run(ctx, "rpmbuild", "-bb", "--quiet", "--define", "_topdir "+own, "--define", "_rpmdir "+work,
		"--define", "_build_name_fmt "+strings.ReplaceAll(p.file(), "%", "%%"), "--define", "_binary_payload w1.gzdio",
		"--define", "__os_install_post %{nil}", "--define", "_enable_debug_packages 0", "--define", "_use_internal_dependency_generator 0",
		"--define", "__find_provides %{nil}", "--define", "__find_requires %{nil}", spec)
}

// tree is every file of the package, path to content.
func (p RPMPackage) tree() map[string]string {
	if p.Bare {
		return p.Files
	}
	files := map[string]string{
		"/usr/bin/" + p.Name:       fmt.Sprintf("#!/bin/sh\necho %s %s\n", p.Name, p.Version),
		"/etc/" + p.Name + ".conf": "setting = default of " + p.Version + "\n",
	}
	maps.Copy(files, p.Files)
	return files
}

// evr splits the version.
func (p RPMPackage) evr() (epoch, version, release string) {
	version = p.Version
	if e, rest, ok := strings.Cut(version, ":"); ok {
		epoch, version = e, rest
	}
	version, release, _ = strings.Cut(version, "-")
	if release == "" {
		release = "1"
	}
	return epoch, version, release
}

func (p RPMPackage) arch() string {
	if p.Arch == "" {
		return "noarch"
	}
	return p.Arch
}

// file is its name in the repository.
func (p RPMPackage) file() string {
	_, version, release := p.evr()
	return fmt.Sprintf("%s-%s-%s.%s.rpm", p.Name, version, release, p.arch())
}

// spec is what rpmbuild makes the package of. Files in tree are as they shall be on the host.
func (p RPMPackage) spec(tree string) string {
	epoch, version, release := p.evr()
	var b strings.Builder
	tags := [][2]string{{"Name", p.Name}, {"Epoch", epoch}, {"Version", version}, {"Release", release},
		{"Summary", "a package to test with"}, {"License", "MIT"}, {"Vendor", "Test"}, {"BuildArch", p.arch()},
		{"Requires", p.Requires}, {"Conflicts", p.Conflicts}, {"Obsoletes", p.Obsoletes}, {"Provides", p.Provides}}
	for _, tag := range tags {
		if tag[1] != "" {
			fmt.Fprintf(&b, "%s: %s\n", tag[0], tag[1])
		}
	}
	fmt.Fprintf(&b, "%%description\nA package to test with.\n%%install\nmkdir -p %%{buildroot}\ncp -a %s/. %%{buildroot}/\n", tree)
	if p.Post != "" {
		fmt.Fprintf(&b, "%%post -p /bin/sh\n%s\n", p.Post)
	}
	b.WriteString("%files\n%defattr(-,root,root)\n")
	for _, path := range slices.Sorted(maps.Keys(p.tree())) {
		fmt.Fprintf(&b, "%s%s\n", p.mark(path), path)
	}
	return b.String()
}

// mark says what is a configuration file, and whether it may be replaced.
func (p RPMPackage) mark(path string) string {
	if !strings.HasPrefix(path, "/etc/") {
		return ""
	}
	if p.Replace {
		return "%config "
	}
	return "%config(noreplace) "
}

// xml is the notice as updateinfo.xml has it.
func (n RPMNotice) xml() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<update from=\"test@testenv\" status=\"stable\" type=%q version=\"1\">\n<id>%s</id><title>update %s</title><severity>%s</severity>\n",
		n.Type, n.ID, n.ID, n.Severity)
	b.WriteString("<issued date=\"2026-01-02 03:04:05\"/><updated date=\"2026-01-02 03:04:05\"/><summary>a summary</summary><description>A description.</description>\n<references>\n")
	for _, cve := range n.CVEs {
		fmt.Fprintf(&b, "<reference href=\"https://example.test/%s\" id=%q type=\"cve\" title=%q/>\n", cve, cve, cve)
	}
	b.WriteString("</references>\n<pkglist><collection short=\"test\"><name>test</name>\n")
	for _, p := range n.Fixes {
		epoch, version, release := p.evr()
		if epoch == "" {
			epoch = "0"
		}
		fmt.Fprintf(&b, "<package name=%q version=%q release=%q epoch=%q arch=%q src=\"%s-%s-%s.src.rpm\"><filename>%s</filename>",
			p.Name, version, release, epoch, p.arch(), p.Name, version, release, p.file())
		if n.Reboot {
			b.WriteString("<reboot_suggested>True</reboot_suggested>")
		}
		b.WriteString("</package>\n")
	}
	b.WriteString("</collection></pkglist>\n</update>\n")
	return b.String()
}
