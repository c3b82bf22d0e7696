package api

import (
	"errors"
	"fmt"
	"net/http"

	"plumb/server/rollout"
	"plumb/server/store"
)

// changes lists the records of releases and patch cycles.
func (a *API) changes(c *Call) (any, error) {
	limit, err := c.number("limit", 20)
	if err != nil {
		return nil, err
	}
	return a.Views().ChangeRecords(c.Request.Context(), limit)
}

// change returns one record: of the release of a number, or of a rollout's patch cycle.
func (a *API) change(c *Call) (any, error) {
	text := c.Param("number")
	if cycle := c.Param("cycle"); cycle != "" {
		text += "/" + cycle
	}
	id, err := rollout.ParseID(text)
	if err != nil || id == (rollout.ID{}) {
		return nil, badRequest(fmt.Sprintf("%q is neither the number of a release nor a cycle such as security/3", text), "`plumb changes` lists them")
	}
	record, err := a.Views().ChangeRecord(c.Request.Context(), id, c.Now)
	if errors.Is(err, store.ErrNotFound) {
		return nil, &Error{Code: http.StatusNotFound, Text: fmt.Sprintf("there is no change %s", text), Hint: "`plumb changes` lists them"}
	}
	return record, err
}
