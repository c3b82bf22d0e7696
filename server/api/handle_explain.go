package api

import "net/http"

// maxAddress is how long the address of a resource may be, in bytes.
const maxAddress = 4 << 10

// explain says where a value of a host comes from: address=ADDRESS[.ATTRIBUTE].
func (a *API) explain(c *Call) (any, error) {
	address := c.Query("address")
	if address == "" || len(address) > maxAddress {
		return nil, badRequest("the parameter address names the resource to explain", "write address=policy.ssh.file.dropin, or a unique ending of it")
	}
	if a.Explain == nil {
		return nil, &Error{Code: http.StatusNotImplemented, Text: "this server does not explain values"}
	}
	return a.Explain(c.Request.Context(), c.Param("name"), address)
}
