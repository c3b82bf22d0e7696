package api

import "net/http"

// sameSite refuses what a page of another site makes a browser send: for every route that is not
// only read, whoever the caller is, for signing in is something that can be done to a person too.
// Programs send neither Sec-Fetch-Site nor Origin and are let through.
func sameSite(r *http.Request) error {
	if http.NewCrossOriginProtection().Check(r) == nil {
		return nil
	}
	return &Error{Code: http.StatusForbidden, Text: "this request came from another site", Hint: "use the button on our own pages"}
}
