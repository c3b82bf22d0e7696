package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/server/store"
)

const newToken = "ask for a new token: `plumb token create`"

// Enroll gives a new host its identity and uses the token up. An agent that never saw the
// answer may ask again with the same token and key.
func (f *Fleet) Enroll(ctx context.Context, in protocol.Enrollment, now time.Time) (protocol.Enrolled, error) {
	hash := inventory.Digest([]byte(in.Secret))
	token, err := f.Store.TokenByHash(ctx, hash)
	if errors.Is(err, store.ErrNotFound) || (err == nil && token.Role != "") {
		return protocol.Enrolled{}, refuse("the enrolment token is not known here", newToken)
	}
	if err != nil {
		return protocol.Enrolled{}, err
	}
	host, err := newHost(token, in.Name)
	if err != nil {
		return protocol.Enrolled{}, err
	}
	cert, key, err := f.Authority.IssueHost(host.ID, in.CSR, now)
	if err != nil {
		return protocol.Enrolled{}, badRequest(err)
	}
	err = f.Store.CreateHost(ctx, store.Host{Host: host, Key: key}, hash, now)
	if errors.Is(err, store.ErrTokenUsed) {
		return f.enrollAgain(ctx, token, key, in, now)
	}
	if err != nil {
		return protocol.Enrolled{}, refusedEnrolment(err, host.Name)
	}
	return protocol.Enrolled{Host: host, Certificate: string(cert), CA: string(f.Authority.CAPEM())}, nil
}

// newHost is who the token makes of a host: a bound name goes before the one it asked for.
func newHost(token store.Token, asked string) (inventory.Host, error) {
	name := token.Name
	if name == "" {
		name = strings.ToLower(strings.TrimSuffix(asked, "."))
	}
	if err := inventory.CheckName(name); err != nil {
		return inventory.Host{}, refuse(err.Error(), "choose one with `plumb-agent enroll --name`, or bind one to the token")
	}
	return inventory.Host{ID: inventory.HostID(uuid.NewString()), Name: name, Labels: token.Labels}, nil
}

// badRequest wraps a mistake in a certificate request.
func badRequest(err error) error {
	return refuse(err.Error(), "use the plumb-agent that belongs to this server's version")
}

func refusedEnrolment(err error, name string) error {
	switch {
	case errors.Is(err, store.ErrTokenExpired):
		return refuse("the enrolment token has expired or was revoked", newToken)
	case errors.Is(err, store.ErrNameTaken):
		return refuse(fmt.Sprintf("there is a host called %s already", name),
			fmt.Sprintf("revoke the old one with `plumb revoke %s`, or choose another name", name))
	case errors.Is(err, store.ErrKeyTaken):
		return refuse("this key was enrolled before", "remove the agent's state folder, so that it makes a new key")
	}
	return err
}

// enrollAgain repeats the answer to the host that used the token, and to nobody else.
func (f *Fleet) enrollAgain(ctx context.Context, token store.Token, key string, in protocol.Enrollment, now time.Time) (protocol.Enrolled, error) {
	used := refuse("the enrolment token was used already", newToken)
	h, err := f.Store.HostByKey(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return protocol.Enrolled{}, used
	}
	if err != nil {
		return protocol.Enrolled{}, err
	}
	token, err = f.Store.TokenByHash(ctx, token.Hash)
	if err != nil {
		return protocol.Enrolled{}, err
	}
	if token.UsedBy != string(h.ID) || !h.Revoked.IsZero() {
		return protocol.Enrolled{}, used
	}
	return f.certify(h, in.CSR, now)
}

// Renew gives a host a new certificate for the key that it has.
func (f *Fleet) Renew(ctx context.Context, id inventory.HostID, in protocol.Renewal, now time.Time) (protocol.Enrolled, error) {
	h, err := f.host(ctx, id)
	if err != nil {
		return protocol.Enrolled{}, err
	}
	return f.certify(h, in.CSR, now)
}

func (f *Fleet) certify(h store.Host, csr string, now time.Time) (protocol.Enrolled, error) {
	cert, key, err := f.Authority.IssueHost(h.ID, csr, now)
	if err != nil {
		return protocol.Enrolled{}, badRequest(err)
	}
	if key != h.Key {
		return protocol.Enrolled{}, refuse("a certificate is renewed for the same key only", "enrol the host anew to give it another key")
	}
	return protocol.Enrolled{Host: h.Host, Certificate: string(cert), CA: string(f.Authority.CAPEM())}, nil
}

// host returns a host that may call.
func (f *Fleet) host(ctx context.Context, id inventory.HostID) (store.Host, error) {
	h, err := f.Store.Caller(ctx, id)
	if errors.Is(err, store.ErrNotFound) || (err == nil && !h.Revoked.IsZero()) {
		return store.Host{}, refuse("this host is not enrolled here, or was revoked", "enrol it anew with `plumb-agent enroll`")
	}
	return h, err
}
