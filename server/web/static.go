package web

import (
	"embed"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"plumb/inventory"
	"plumb/server/api"
)

//go:embed static
var static embed.FS

// files are the static files by the name under which they are served, which holds a digest
// of the content: browsers keep them for ever, and never an old one.
type files struct {
	served map[string]api.Raw
	names  map[string]string
}

func readFiles() files {
	f := files{served: map[string]api.Raw{}, names: map[string]string{}}
	entries, err := static.ReadDir("static")
	if err != nil {
		panic(err) // the folder is built in
	}
	for _, e := range entries {
		body, err := fs.ReadFile(static, path.Join("static", e.Name()))
		if err != nil {
			panic(err)
		}
		base, ext, _ := strings.Cut(e.Name(), ".")
		name := base + "-" + inventory.Digest(body)[:12] + "." + ext
		f.names[e.Name()] = "/static/" + name
		f.served[name] = api.Raw{Type: mime.TypeByExtension("." + ext), Body: body, Immutable: true}
	}
	return f
}

func (f files) address(name string) string { return f.names[name] }

func (s *site) static(c *api.Call) (any, error) {
	raw, ok := s.files.served[c.Param("name")]
	if !ok {
		return nil, &api.Error{Code: http.StatusNotFound, Text: "there is no such file"}
	}
	return raw, nil
}
