package lang

import (
	"strings"
	"sync"
	"testing"

	"plumb/policies/bundle"
)

// house is a repository of the usual size: 500 resources in 50 policies.
func house() bundle.Tree {
	tree := bundle.Tree{"site.hcl": []byte("group \"linux\" { match = fact.os.kernel == \"linux\" }\nvariable \"x\" { default = \"y\" }\n" +
		lines(50, `policy "p%[1]d" {
  applies_to = group.linux
  resource "directory" "d" { path = "/srv/%[1]d" }
  resource "file" "f" {
    for_each = { for i in range(8) : "k${i}" => i }
    path     = "/srv/%[1]d/${each.key}"
    content  = "${var.x} ${each.value} ${host.name}"
    mode     = "0644"
    notify   = [service.s]
  }
  resource "service" "s" { 
    name    = "s%[1]d"
    running = true
  }
}
`))}
	return tree
}

func BenchmarkLoad(b *testing.B) {
	tree := house()
	for b.Loop() {
		Load(tree)
	}
}

func BenchmarkCompile(b *testing.B) {
	c, problems := Load(house())
	if len(problems) > 0 {
		b.Fatal(problems)
	}
	for b.Loop() {
		if out := c.Compile(debian()); len(out.Catalog.Resources) != 500 {
			b.Fatal(out.Problems)
		}
	}
}

// many is one block with a thousand instances, each with a kilobyte of content.
func many() bundle.Tree {
	filler := strings.Repeat("0123456789abcdef", 63)
	return bundle.Tree{"site.hcl": []byte(`policy "p" {
  resource "file" "f" {
    count   = 1000
    path    = "/srv/files/f${format("%05d", count.index)}"
    content = "file ${format("%05d", count.index)}\n` + filler + `\n"
    owner   = "root"
    mode    = "0640"
  }
}
`)}
}

// BenchmarkInstances goes the whole way of the compiler's child: load, compile, encode.
func BenchmarkInstances(b *testing.B) {
	tree := many()
	b.ReportAllocs()
	for b.Loop() {
		c, problems := Load(tree)
		if len(problems) > 0 {
			b.Fatal(problems)
		}
		if raw, _, err := Digest(c.Compile(debian()).Catalog); err != nil || len(raw) < 1<<20 {
			b.Fatal(len(raw), err)
		}
	}
}

// The server compiles for many hosts at once from one Config.
func TestCompileAtOnce(t *testing.T) {
	c := loaded(t, house())
	_, want, _ := Digest(c.Compile(debian()).Catalog)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, got, _ := Digest(c.Compile(debian()).Catalog); got != want {
				t.Errorf("digest = %s, want %s", got, want)
			}
		})
	}
	all.Wait()
}
