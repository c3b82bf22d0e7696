package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// compact is how an author writes things that are alike: one block with count or for_each.
func (w *work) compact() string {
	var b strings.Builder
	fmt.Fprintf(&b, "policy \"work\" {\n  title = %q\n", w.name)
	if n := len(w.items.Files); n > 0 {
		fmt.Fprintf(&b, `
  resource "file" "f" {
    count   = %d
    path    = "%s/files/f${format("%%05d", count.index)}"
    content = "file ${format("%%05d", count.index)}\n%s"
    owner   = "root"
    mode    = "0640"
  }
`, n, w.dir, strings.ReplaceAll(filler(firstLine(0)), "\n", `\n`))
	}
	if n := len(w.items.Crons); n > 0 {
		fmt.Fprintf(&b, `
  resource "file" "cron" {
    count   = %d
    path    = "%s/cron.d/job${format("%%02d", count.index)}"
    content = "${count.index} 3 * * * root /bin/true\n"
    owner   = "root"
    mode    = "0644"
  }
`, n, w.dir)
	}
	if n := len(w.items.Lines); n > 0 {
		fmt.Fprintf(&b, `
  check "file_content" "line" {
    count      = %d
    path       = "%s/conf/c${format("%%02d", count.index)}.conf"
    must_match = "^option${format("%%02d", count.index)} yes$"
  }
`, n, w.dir)
	}
	w.each(&b)
	b.WriteString("}\n")
	return b.String()
}

// each are the kinds whose names an author lists.
func (w *work) each(b *strings.Builder) {
	names := func(kind string, list []string, more string) {
		if len(list) > 0 {
			fmt.Fprintf(b, "\n  resource %q \"x\" {\n    for_each = toset([%s])\n    name     = each.value\n%s  }\n", kind, quoted(list), more)
		}
	}
	names("package", w.items.Packages, "")
	names("service", w.items.Services, "    running  = true\n")
	if len(w.items.Users) > 0 {
		b.WriteString("\n  resource \"user\" \"x\" {\n    for_each = {\n")
		for _, u := range w.items.Users {
			fmt.Fprintf(b, "      %q = { uid = %d, shell = %q }\n", u.Name, u.ID, u.Shell)
		}
		b.WriteString("    }\n    name  = each.key\n    uid   = each.value.uid\n    shell = each.value.shell\n  }\n")
	}
	numbered := func(kind, name, attribute, more string, list []value) {
		if len(list) == 0 {
			return
		}
		fmt.Fprintf(b, "\n  resource %q \"x\" {\n    for_each = {\n", kind)
		for _, one := range list {
			fmt.Fprintf(b, "      %q = %q\n", one.Key, one.Value)
		}
		fmt.Fprintf(b, "    }\n    %s = each.key\n    %s = each.value\n%s  }\n", name, attribute, more)
	}
	var groups []value
	for _, g := range w.items.Groups {
		groups = append(groups, value{g.Name, strconv.Itoa(g.ID)})
	}
	numbered("group", "name", "gid", "", groups)
	numbered("sysctl", "key", "value", "    persist = false\n", w.items.Sysctls)
}

func quoted(list []string) string {
	var words []string
	for _, one := range list {
		words = append(words, strconv.Quote(one))
	}
	return strings.Join(words, ", ")
}

// perFile is how many blocks a policy file gets: it may have 64 KiB.
const perFile = 40

// blocks are the files of the work, each in a block of its own.
func (w *work) blocks() map[string]string {
	files := map[string]string{}
	for from := 0; from < len(w.items.Files); from += perFile {
		var b strings.Builder
		fmt.Fprintf(&b, "policy \"files%d\" {\n  title = \"files\"\n", from)
		for i := from; i < min(from+perFile, len(w.items.Files)); i++ {
			fmt.Fprintf(&b, "  resource \"file\" \"f%05d\" {\n    path    = %q\n    content = <<-EOT\n      %s      %s    EOT\n    owner   = \"root\"\n    mode    = \"0640\"\n  }\n",
				i, w.items.Files[i].Path, firstLine(i), filler(firstLine(i)))
		}
		b.WriteString("}\n")
		files[fmt.Sprintf("p%05d.hcl", from)] = b.String()
	}
	return files
}

func writeAll(dir string, files map[string]string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
