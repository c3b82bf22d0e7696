package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"plumb/inventory"
	"plumb/policies/bundle"
	"plumb/policies/compiler"
	"plumb/policies/lang"
	"plumb/server/store"
)

// children counts those who compile, and lets those die that shall compile for a host with the name.
type children struct {
	started int
	dies    string
}

func (c *children) compile(ctx context.Context, req compiler.Request) (compiler.Response, error) {
	c.started++
	if slices.ContainsFunc(req.Hosts, func(in lang.Input) bool { return in.Host.Name == c.dies }) {
		return compiler.Response{}, errors.New("it took too long")
	}
	return compiler.Compiler{}.Compile(ctx, req)
}

// hostsOf are hosts whose facts differ in what no policy reads, half of them in what one does.
func hostsOf(t *testing.T, s *store.Store, n int) []store.Host {
	t.Helper()
	var list []store.Host
	for i := range n {
		raw, err := json.Marshal(map[string]any{"os": map[string]any{"id": []string{"debian", "ubuntu"}[i%2]}, "kernel": fmt.Sprint(i)})
		ref := store.Ref{Kind: store.KindFacts, Digest: inventory.Digest(raw)}
		if err == nil {
			err = s.PutObject(t.Context(), ref, raw, time.Now())
		}
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprintf("id%03d", i)
		list = append(list, store.Host{Host: inventory.Host{ID: inventory.HostID(id), Name: "host" + id, Labels: map[string]string{"role": "usual"}}, Facts: ref.Digest})
	}
	return list
}

func newCatalogs(t *testing.T, more string) (*catalogs, *children, string) {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "plumb.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	raw, err := bundle.Pack(bundle.Tree{"main.hcl": []byte(`
policy "p" {
  title = "P"
  resource "directory" "d" { path = "/${fact.os.id}" }
}
` + more)})
	digest := inventory.Digest(raw)
	if err == nil {
		err = s.PutObject(t.Context(), store.Ref{Kind: store.KindBundle, Digest: digest}, raw, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	c := &children{}
	return &catalogs{child: c.compile, store: s}, c, digest
}

// TestCatalogsAreCompiledOnce has a fleet verified whose hosts answer in two ways to what the policy reads.
func TestCatalogsAreCompiledOnce(t *testing.T) {
	c, children, bundle := newCatalogs(t, "")
	hosts := hostsOf(t, c.store, 3*batch)
	for _, some := range [][]store.Host{hosts[:2], hosts, hosts} {
		for i, one := range c.Catalogs(t.Context(), bundle, some) {
			other := c.Catalogs(t.Context(), bundle, hosts[1-i%2:2-i%2])[0]
			if one.Err != nil || one.Catalog == "" || len(one.Terms) == 0 || one.Catalog == other.Catalog {
				t.Fatalf("Catalogs() of %s = %+v, beside one of another system: %+v", some[i].Name, one, other)
			}
		}
	}
	if children.started != 1 {
		t.Errorf("%d children were started for a fleet that answers in two ways, want 1", children.started)
	}
}

// TestCatalogsOfNamedHosts has a tree with a block for one host: what hosts share is not known then, but many
// are compiled at once.
func TestCatalogsOfNamedHosts(t *testing.T) {
	c, children, bundle := newCatalogs(t, `
group "odd" { match = host.labels.role == "odd" }
policy "q" {
  title      = "Q"
  applies_to = group.odd
  resource "directory" "e" { path = "/e" }
}
host "hostid001" { labels = { role = "odd" } }
`)
	hosts := hostsOf(t, c.store, 2*batch)
	list := c.Catalogs(t.Context(), bundle, hosts)
	for i, one := range list {
		if same := one.Catalog == list[3].Catalog; one.Err != nil || same != (i%2 == 1 && i != 1) {
			t.Errorf("Catalogs() of %s = %+v; the same as that of %s: %v", hosts[i].Name, one, hosts[3].Name, same)
		}
	}
	if children.started != 2 {
		t.Errorf("%d children were started for %d hosts, want 2", children.started, len(hosts))
	}
}

// TestCatalogOfOneIsNotTheRuinOfOthers has the compiler die of one host.
func TestCatalogOfOneIsNotTheRuinOfOthers(t *testing.T) {
	c, children, bundle := newCatalogs(t, "")
	hosts := hostsOf(t, c.store, batch)
	children.dies = hosts[17].Name
	hosts[30].Facts = inventory.Digest([]byte("not there"))
	for i, one := range c.Catalogs(t.Context(), bundle, hosts) {
		if failed := i == 17 || i == 30; (one.Err != nil) != failed {
			t.Errorf("Catalogs() of %s = %+v", hosts[i].Name, one)
		}
	}
}
