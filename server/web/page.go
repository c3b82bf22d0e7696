package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"time"

	"plumb/server/api"
)

//go:embed templates
var templates embed.FS

// pageNames are the pages; each has a template file and a struct of its name.
var pageNames = []string{"overview", "hosts", "host", "drift", "rings", "ring_hosts", "patches", "patch_hosts", "advisories", "advisory",
	"changes", "change", "cycle", "policies", "policy", "controls", "standing", "alerts", "kpis", "events", "drift_feed", "explain", "history", "packages", "signin", "signin_link", "welcome", "account", "trouble"}

// page is one parsed page.
type page struct{ *template.Template }

// parsePages reads every template. The text is built in, so that only a mistake of ours fails.
func parsePages() map[string]page {
	shared := template.Must(template.New("layout").Funcs(functions()).ParseFS(templates, "templates/layout.tmpl", "templates/parts.tmpl", "templates/chart.tmpl"))
	pages := map[string]page{}
	for _, name := range pageNames {
		own := template.Must(shared.Clone())
		pages[name] = page{template.Must(own.ParseFS(templates, "templates/"+name+".tmpl"))}
	}
	return pages
}

// frame is what every page has around its own content.
type frame struct {
	// Title goes into the browser's tab; Here is the address of the menu entry that is marked.
	Title string
	Here  string
	// Menu is true when the ways to the other pages are shown.
	Menu bool
	// Who is signed in with which role; empty for nobody.
	Who  string
	Role api.Access
	// Refresh is after how many seconds the page is asked for again; 0 for never.
	Refresh int
	// Now is when the page was asked for; ages are counted from it.
	Now time.Time
	// then is the past that the page is about, if it is.
	then past
	// Style and Icon are addresses of static files.
	Style, Icon string
	Version     string
}

// Entry is an address of the menu: a page that knows the past stays in it.
func (f frame) Entry(address string) string { return f.then.To(address) }

// strange is the frame of a page that anybody may see.
func (s *site) strange(title string) frame {
	return frame{Title: title, Style: s.files.address("style.css"), Icon: s.files.address("icon.svg"), Version: s.Version}
}

// frame is the frame of a page for whoever is signed in.
func (s *site) frame(c *api.Call, title, here string) frame {
	f := s.strange(title)
	f.Here, f.Who, f.Role, f.Now, f.Menu = here, c.Caller.Name, c.Caller.Role, c.Now, c.Caller.Role != ""
	return f
}

// render makes the whole page before anything of it is sent, so that nobody sees half of one.
func (s *site) render(name string, value any) (api.Raw, error) {
	var out bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&out, "layout", value); err != nil {
		return api.Raw{}, fmt.Errorf("cannot show the page %s: %w", name, err)
	}
	return api.Raw{Type: "text/html; charset=utf-8", Body: out.Bytes()}, nil
}

// show is render as handlers return it.
func (s *site) show(name string, value any) (any, error) {
	raw, err := s.render(name, value)
	if err != nil {
		return nil, err
	}
	return raw, nil
}
