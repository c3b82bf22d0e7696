package api

import (
	"net/http"
	"slices"
	"time"

	"plumb/agent/protocol"
	"plumb/server/advisories"
	"plumb/server/rollout"
)

// Route is one line of the table: the whole of what can be asked of a server.
type Route struct {
	Method string
	Path   string
	// Access is demanded before anything of the request is read.
	Access Access
	// Handle returns what is sent: a value as JSON, a [Raw] as it is, nil as an empty object.
	Handle func(*Call) (any, error)
	// Body is the most that the handler may read, in bytes; 0 means that there is no body.
	Body int64
	// Trouble shows an error in another form than JSON; pages set it.
	Trouble func(r *http.Request, code int, p protocol.Problem) Raw
}

// The most that handlers read, in bytes.
const (
	small = 64 << 10
	large = protocol.MaxObject
)

// routes is the table of the API itself; pages bring their own lines.
func (a *API) routes() []Route {
	return slices.Concat(a.doorRoutes(), a.agentRoutes(), a.viewRoutes(), a.changeRoutes(), a.patchRoutes(), a.standingRoutes(), a.alertRoutes(), a.accessRoutes(), a.accountRoutes())
}

// doorRoutes tell whoever comes what this is.
func (a *API) doorRoutes() []Route {
	return []Route{
		{"GET", "/healthz", Open, a.health, 0, nil},
		{"GET", "/metrics", Viewer, a.metrics, 0, nil},
		{"GET", "/ca.pem", Open, a.caPEM, 0, nil},
	}
}

// agentRoutes are those of hosts.
func (a *API) agentRoutes() []Route {
	return []Route{
		{"POST", protocol.PathEnroll, Open, a.enroll, small, nil},
		{"POST", protocol.PathCheckIn, Host, a.timed(a.checkIn), protocol.MaxBody, nil},
		{"POST", protocol.PathRenew, Host, a.renew, small, nil},
		{"PUT", protocol.PathObjects + ":digest", Host, a.putObject, large, nil},
		{"PUT", protocol.PathPieces + ":digest", Host, a.putPiece, small, nil},
		{"GET", protocol.PathTags + ":digest", Host, a.tag, 0, nil},
		{"GET", protocol.PathBundles + ":digest", Host, a.bundle, 0, nil},
		{"GET", protocol.PathSets + ":digest", Host, a.patchSetBytes, 0, nil},
	}
}

// viewRoutes show the fleet.
func (a *API) viewRoutes() []Route {
	return []Route{
		{"GET", "/v1/status", Viewer, a.status, 0, nil},
		{"GET", "/v1/hosts", Viewer, a.hosts, 0, nil},
		{"GET", "/v1/hosts/:name", Viewer, a.host, 0, nil},
		{"GET", "/v1/hosts/:name/explain", Viewer, a.explain, 0, nil},
		{"POST", "/v1/hosts/:name/revoke", Operator, a.revokeHost, small, nil},
		{"GET", "/v1/drift", Viewer, a.drift, 0, nil},
		{"GET", "/v1/changes", Viewer, a.changes, 0, nil},
		{"GET", "/v1/changes/:number", Viewer, a.change, 0, nil},
		{"GET", "/v1/changes/:number/:cycle", Viewer, a.change, 0, nil},
		{"GET", "/v1/releases", Viewer, a.releases, 0, nil},
		{"GET", "/v1/releases/:number", Viewer, a.release, 0, nil},
		{"GET", "/v1/release-plan", Viewer, a.releasePlan, 0, nil},
		{"GET", "/v1/windows", Viewer, a.windows, 0, nil},
		{"GET", "/v1/windows.ics", Viewer, a.windowsFeed, 0, nil},
		{"GET", "/v1/kpis", Viewer, a.kpis, 0, nil},
		{"GET", "/v1/waivers", Viewer, a.waivers, 0, nil},
	}
}

// changeRoutes take releases and patch cycles through rings.
func (a *API) changeRoutes() []Route {
	return []Route{
		{"GET", "/v1/rollouts", Viewer, a.rollouts, 0, nil},
		{"GET", "/v1/rollouts/:number", Viewer, a.rollout, 0, nil},
		{"POST", "/v1/rollouts/:number/promote", Operator, a.actOn(rollout.Promote), small, nil},
		{"POST", "/v1/rollouts/:number/pause", Operator, a.actOn(rollout.Pause), small, nil},
		{"POST", "/v1/rollouts/:number/resume", Operator, a.actOn(rollout.Resume), small, nil},
		{"POST", "/v1/rollouts/:number/rollback", Operator, a.actOn(rollout.Rollback), small, nil},
		{"GET", "/v1/cycles/:name/:number", Viewer, a.rollout, 0, nil},
		{"POST", "/v1/cycles/:name/:number/promote", Operator, a.actOn(rollout.Promote), small, nil},
		{"POST", "/v1/cycles/:name/:number/pause", Operator, a.actOn(rollout.Pause), small, nil},
		{"POST", "/v1/cycles/:name/:number/resume", Operator, a.actOn(rollout.Resume), small, nil},
		{"POST", "/v1/cycles/:name/:number/rollback", Operator, a.actOn(rollout.Rollback), small, nil},
		{"GET", "/v1/freeze", Viewer, a.frozen, 0, nil},
		{"POST", "/v1/freeze", Operator, a.freeze, small, nil},
		{"POST", "/v1/unfreeze", Operator, a.unfreeze, small, nil},
	}
}

// patchRoutes are about updates.
func (a *API) patchRoutes() []Route {
	return []Route{
		{"GET", "/v1/patch/status", Viewer, a.patchStatus, 0, nil},
		{"GET", "/v1/patch/advisories", Viewer, a.patchAdvisories, 0, nil},
		{"POST", "/v1/patch/advisories", Operator, a.importAdvisories, advisories.MaxBytes, nil},
		{"GET", "/v1/patch/sla", Viewer, a.patchSLA, 0, nil},
		{"GET", "/v1/patch/progress", Viewer, a.patchProgress, 0, nil},
		{"GET", "/v1/patch/sets", Viewer, a.patchSets, 0, nil},
		{"GET", "/v1/patch/sets/:name/:number", Viewer, a.patchSet, 0, nil},
		{"POST", "/v1/patch/sets/:name", Operator, a.newPatchSet, small, nil},
	}
}

// accessRoutes say who may do what, and take what only programs send.
func (a *API) accessRoutes() []Route {
	return []Route{
		{"GET", "/v1/tokens", Admin, a.tokens, 0, nil},
		{"POST", "/v1/tokens", Admin, a.createToken, small, nil},
		{"POST", "/v1/tokens/:id/revoke", Admin, a.revokeToken, small, nil},
		{"GET", "/v1/authors", Viewer, a.authors, 0, nil},
		{"POST", "/v1/authors", Admin, a.addAuthor, small, nil},
		{"POST", "/v1/authors/:name/remove", Admin, a.removeAuthor, small, nil},
		{"GET", "/v1/acts", Auditor, a.acts, 0, nil},

		{"POST", "/v1/signin-links", Local, a.signInLink, small, nil},
		{"POST", "/v1/hook", Local, a.hook, large, nil},
		{"POST", "/v1/webhooks/upstream", Open, a.webhook, protocol.MaxBody, nil},
	}
}

// Call is one request on its way through a handler.
type Call struct {
	// Request is the request; its body is capped, its context ends with the client.
	Request *http.Request
	// Caller is who asks.
	Caller Caller
	// Now is when it was asked.
	Now time.Time
	// Param returns a part of the path by its name in the route.
	Param func(name string) string
}

// Query returns the first value of a query parameter.
func (c *Call) Query(name string) string { return c.Request.URL.Query().Get(name) }
