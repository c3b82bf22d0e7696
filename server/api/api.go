package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"plumb/inventory"
	"plumb/server/alerts"
	"plumb/server/authority"
	"plumb/server/fleet"
	"plumb/server/patching"
	"plumb/server/people"
	"plumb/server/rollout"
	"plumb/server/store"
	"plumb/server/views"
)

// API serves one server's routes.
type API struct {
	Store *store.Store
	Fleet *fleet.Fleet
	// Rollouts takes releases through rings.
	Rollouts *rollout.Driver
	// Patches makes patch sets.
	Patches *patching.Maker
	// People says who may sign in by themselves.
	People *people.People
	// Alerts tells people and other systems when something needs a person.
	Alerts *alerts.Station
	// Policy is the policy repository and its releases.
	Policy    Policy
	Authority *authority.Authority
	Log       *slog.Logger
	// Now is the clock.
	Now func() time.Time
	// Addresses are what tokens and links tell others to use.
	Addresses Addresses
	// Release is the version of this program.
	Release string
	// Explain says where what a resource of a host should be comes from.
	Explain func(ctx context.Context, host, address string) (views.Explained, error)
	// Drop ends the open connections of a host that was revoked.
	Drop func(inventory.HostID)
	// DropAuthor ends those of an author who was removed.
	DropAuthor func(name string)

	memory views.Memory

	limits limiter
	// admission is for hosts.
	admission admission
	registry  *prometheus.Registry
	answered  *prometheus.CounterVec
	checkIns  prometheus.Histogram
	engine    *gin.Engine
}

// Policy is what the API asks of the policy repository and its releases.
type Policy interface {
	// Status tells how it stands.
	Status(ctx context.Context) (views.Policy, error)
	// Signers are the lines that a new host pins.
	Signers(ctx context.Context) ([]string, error)
	// Hook judges a push on behalf of Git; the body is the hook's own.
	Hook(ctx context.Context, body []byte) (any, error)
	// Plans are the windows, freezes, waivers and policies of the newest release.
	Plans(ctx context.Context) (views.Plans, error)
	// Webhook verifies that the upstream forge sent it, and then looks for news there.
	Webhook(ctx context.Context, header http.Header, body []byte) error
}

// Addresses are the server's listeners as others reach them, host:port.
type Addresses struct {
	People, Agents, SSH string
}

// Door is the listener by which a request came in; it decides how a caller proves who it is.
type Door string

// The doors.
const (
	PeopleDoor Door = "people" // TLS: bearer token or session cookie
	AgentsDoor Door = "agents" // mTLS: client certificate
	SSHDoor    Door = "ssh"    // the SSH key, through package sshd
	LocalDoor  Door = "local"  // the unix socket
)

type doorKey struct{}

// Start builds the routes; more come from other packages, such as the pages.
func (a *API) Start(more ...Route) {
	gin.SetMode(gin.ReleaseMode)
	a.engine = gin.New()
	a.engine.HandleMethodNotAllowed = true
	a.engine.RedirectTrailingSlash = false
	if err := a.engine.SetTrustedProxies(nil); err != nil {
		panic(err) // an empty list is always fine
	}
	if a.admission.most == 0 {
		a.admission.most = atOnce
	}
	a.startMetrics()
	for _, r := range append(a.routes(), more...) {
		a.engine.Handle(r.Method, r.Path, a.serve(r))
	}
	a.engine.NoRoute(a.lost(a.noRoute, more))
	a.engine.NoMethod(a.lost(a.noMethod, more))
}

// lost answers for addresses that are not in the table: programs in JSON, people as the
// pages do.
func (a *API) lost(handle func(*Call) (any, error), pages []Route) gin.HandlerFunc {
	program, person := Route{Access: Open, Handle: handle}, Route{Access: Open, Handle: handle}
	for _, r := range pages {
		person.Trouble = r.Trouble
	}
	forProgram, forPerson := a.serve(program), a.serve(person)
	return func(c *gin.Context) {
		if strings.HasPrefix(c.Request.URL.Path, "/v1/") {
			forProgram(c)
			return
		}
		forPerson(c)
	}
}

// Routes returns the whole table, for the test that walks it.
func (a *API) Routes(more ...Route) []Route { return append(a.routes(), more...) }

// Handler serves requests that come in by the door.
func (a *API) Handler(door Door) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.engine.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), doorKey{}, door)))
	})
}

func (a *API) noRoute(*Call) (any, error) {
	return nil, notFound("there is nothing at this address", "")
}

func (a *API) noMethod(*Call) (any, error) {
	return nil, &Error{Code: http.StatusMethodNotAllowed, Text: "this address does not answer to that method"}
}
