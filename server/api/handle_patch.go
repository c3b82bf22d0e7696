package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"plumb/server/advisories"
	"plumb/server/store"
	"plumb/server/views"
)

// Imported says what an import of advisories did.
type Imported struct {
	Advisories int `json:"advisories"`
}

func (c *Call) patchFilter() views.PatchFilter {
	return views.PatchFilter{Host: c.Query("host"), Group: c.Query("group")}
}

func (a *API) patchStatus(c *Call) (any, error) {
	ctx := views.Once(c.Request.Context())
	s, err := a.Views().PatchStatus(ctx, c.patchFilter(), c.Now)
	if err != nil {
		return nil, c.patchTrouble(err)
	}
	if s.Reboots, err = a.Views().PatchReboots(ctx, c.patchFilter()); err != nil {
		return nil, err
	}
	if c.patchFilter() == (views.PatchFilter{}) {
		s.Rollouts, err = a.PatchNexts(ctx, c.Now)
	}
	return s, err
}

func (a *API) patchAdvisories(c *Call) (any, error) {
	limit, err := c.number("limit", 200)
	if err != nil {
		return nil, err
	}
	list, err := a.Views().PatchAdvisories(c.Request.Context(), c.patchFilter(), c.Query("all") != "", limit)
	return list, c.patchTrouble(err)
}

func (a *API) patchSLA(c *Call) (any, error) {
	list, err := a.Views().PatchSLAs(c.Request.Context(), c.patchFilter(), c.Now)
	return list, c.patchTrouble(err)
}

// patchProgress lists what hosts are at work on right now, of one rollout where the query names it.
func (a *API) patchProgress(c *Call) (any, error) {
	return a.Views().PatchProgress(c.Query("rollout"), c.Now), nil
}

// live puts what the fleet heard into the words of the views.
func (a *API) live(now time.Time) []views.PatchProgress {
	heard := a.Fleet.Live(now)
	list := make([]views.PatchProgress, 0, len(heard))
	for _, one := range heard {
		list = append(list, views.PatchProgress{Host: one.Name, Rollout: one.Rollout, Cycle: one.Cycle, Phase: one.Phase,
			Done: one.Done, Total: one.Total, Since: one.Since, Told: one.Told})
	}
	return list
}

func (c *Call) patchTrouble(err error) error {
	if errors.Is(err, store.ErrNotFound) && c.Query("host") != "" {
		return unknownHost(err, c.Query("host"))
	}
	return err
}

func (a *API) importAdvisories(c *Call) (any, error) {
	raw, err := io.ReadAll(c.Request.Body)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, &Error{Code: http.StatusRequestEntityTooLarge, Text: fmt.Sprintf("a file of advisories may have %d MiB at most", advisories.MaxBytes>>20)}
	}
	if err != nil {
		return nil, badRequest("cannot read the body: "+err.Error(), "")
	}
	list, err := advisories.Read(raw)
	if err != nil {
		return nil, badRequest(err.Error(), "give it OSV JSON, or the data/json of security-tracker.debian.org")
	}
	if err := a.Store.PutAdvisories(c.Request.Context(), list, c.Now); err != nil {
		return nil, err
	}
	a.Patches.Poke()
	return Imported{len(list)}, a.record(c, "import advisories", fmt.Sprint(len(list)))
}
