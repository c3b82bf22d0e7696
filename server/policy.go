package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"

	"plumb/agent/protocol"
	"plumb/server/api"
	"plumb/server/release"
	"plumb/server/repo"
	"plumb/server/views"
)

// policy is the release desk as the API asks it.
type policy struct {
	desk     *release.Desk
	upstream Upstream
}

// Status tells people how the policy repository stands.
func (p policy) Status(ctx context.Context) (views.Policy, error) {
	s, err := p.desk.Status(ctx)
	if err != nil {
		return views.Policy{}, err
	}
	v := views.Policy{Mode: string(s.Mode), Signers: []string{}, Commit: s.Main, Release: s.Release, Upstream: p.upstream.URL, Problem: s.Problem}
	if v.Problem == "" {
		v.Problem = s.UpstreamProblem
	}
	for _, line := range s.Signers {
		signers, err := protocol.ParseSigners(line)
		if err != nil {
			return v, fmt.Errorf("the signers in force are damaged: %w", err)
		}
		for _, one := range signers {
			v.Signers = append(v.Signers, one.Principal)
		}
	}
	return v, nil
}

// Signers are the lines that a new host pins.
func (p policy) Signers(ctx context.Context) ([]string, error) { return p.desk.Signers(ctx) }

// Hook judges a push.
func (p policy) Hook(ctx context.Context, body []byte) (any, error) {
	var ask repo.HookRequest
	if err := json.Unmarshal(body, &ask); err != nil {
		return nil, &api.Error{Code: http.StatusBadRequest, Text: "cannot read the hook's question: " + err.Error()}
	}
	return p.desk.Hook(ctx, ask), nil
}

// Plans are the windows, freezes, waivers and policies of the newest release.
func (p policy) Plans(ctx context.Context) (views.Plans, error) {
	c, err := p.desk.Calendar(ctx)
	return views.Plans{Release: c.Release, Windows: c.Windows, Freezes: c.Freezes, Waivers: c.Waivers, Policies: c.Policies}, err
}

// Webhook looks for news upstream once the forge has proved itself. The secret is read
// each time, so that it can be changed without a restart.
func (p policy) Webhook(_ context.Context, header http.Header, body []byte) error {
	if p.upstream.URL == "" || p.upstream.WebhookSecret == "" {
		return &api.Error{Code: http.StatusNotFound, Text: "this server takes no webhooks", Hint: "set upstream.url and upstream.webhook_secret in its config file"}
	}
	secret, err := os.ReadFile(p.upstream.WebhookSecret)
	if err != nil {
		return fmt.Errorf("cannot read the webhook secret: %w", err)
	}
	err = release.VerifyWebhook(string(bytes.TrimSpace(secret)), body, header)
	if errors.Is(err, release.ErrWebhook) {
		return &api.Error{Code: http.StatusForbidden, Text: err.Error(), Hint: "set the same secret at the forge and in upstream.webhook_secret"}
	}
	if err != nil {
		return err
	}
	p.desk.Poke()
	return nil
}
