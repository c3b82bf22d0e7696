package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"plumb/policies"
	"plumb/server/api"
	"plumb/server/views"
)

// explainPage tells where what a resource of a host should be comes from.
type explainPage struct {
	frame
	views.Explained
}

func (s *site) explain(c *api.Call) (any, error) {
	name, address := c.Param("name"), c.Query("address")
	if s.Explain == nil || address == "" || len(address) > maxAddress {
		return nil, &api.Error{Code: http.StatusNotFound, Text: "no resource was named", Hint: "the page of the host has a link for each"}
	}
	e, err := s.Explain(c.Request.Context(), name, address)
	if err != nil {
		return nil, unknownHost(err, name)
	}
	return s.show("explain", explainPage{frame: s.frame(c, e.Address+" on "+e.Host, "/hosts"), Explained: e})
}

// maxAddress is how long the address of a resource may be, in bytes.
const maxAddress = 4 << 10

// explainLink is the page that explains a resource.
func explainLink(host, address string) string {
	return "/hosts/" + url.PathEscape(host) + "/explain?" + url.Values{"address": {address}}.Encode()
}

// Settled are the mode and the other settings.
func (p explainPage) Settled() []policies.Explained {
	return append([]policies.Explained{p.Mode}, p.Settings...)
}

// explainedValue is a value as pages show it.
func explainedValue(e policies.Explained) string {
	if words, absent := e.Absent(); absent {
		return words
	}
	var text string
	if json.Unmarshal(e.Value, &text) == nil {
		return text
	}
	return string(e.Value)
}

// manyLines tells whether a value is text of several lines, or long.
func manyLines(e policies.Explained) bool {
	text := explainedValue(e)
	return strings.Contains(strings.TrimSpace(text), "\n") || len(text) > 120
}

// spelled tells whether the expression says more than the value.
func spelled(e policies.Explained) bool { return e.Text != "" && e.Text != string(e.Value) }
