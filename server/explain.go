package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"plumb/policies/lang"
	"plumb/server/api"
	"plumb/server/release"
	"plumb/server/store"
	"plumb/server/views"
)

// explain says where what a resource of a host should be comes from.
func (s *Server) explain(ctx context.Context, name, address string) (views.Explained, error) {
	h, err := s.store.HostByName(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return views.Explained{}, &api.Error{Code: http.StatusNotFound, Text: fmt.Sprintf("there is no host %q", name), Hint: "`plumb hosts` lists them"}
	}
	if err != nil {
		return views.Explained{}, err
	}
	why, number, err := s.desk.Explain(ctx, h, address)
	if errors.Is(err, release.ErrNoFacts) {
		return views.Explained{}, &api.Error{Code: http.StatusConflict, Text: err.Error(), Hint: "nothing is made for a host before its first run"}
	}
	if err != nil {
		return views.Explained{}, err
	}
	if why.Explanation == nil {
		return views.Explained{}, unexplained(why, name, number)
	}
	return s.api.Views().Explained(ctx, name, number, *why.Explanation)
}

func unexplained(why lang.Why, name string, number uint64) error {
	if why.Unknown != "" {
		return &api.Error{Code: http.StatusNotFound, Text: why.Unknown, Hint: fmt.Sprintf("the host's page, and `plumb host %s --json`, list its resources", name)}
	}
	text := fmt.Sprintf("release %d does not compile for %s", number, name)
	for _, p := range why.Problems {
		return &api.Error{Code: http.StatusConflict, Text: text + ": " + p.String()}
	}
	return &api.Error{Code: http.StatusConflict, Text: text}
}
