package alerts

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// caller sends messages to a webhook.
type caller struct {
	conf Webhook
	form form
	http *http.Client
}

func newCaller(w Webhook) (*caller, error) {
	w, err := w.load()
	if err != nil {
		return nil, err
	}
	client, err := httpClient(w.AllowPrivate, w.CA)
	if err != nil {
		return nil, err
	}
	return &caller{conf: w, form: forms()[w.kind()], http: client}, nil
}

// errNothing means that there is nothing to tell this receiver.
var errNothing = errors.New("there is no ticket of the opening to add this to")

// tell sends one message and returns what the receiver calls it. No error holds the URL, the
// secret, or anything that the receiver said.
func (c *caller) tell(ctx context.Context, m Message, now time.Time) (ref string, err error) {
	out, ok := c.form.write(c.conf, m, now)
	if !ok {
		return "", errNothing
	}
	req, err := http.NewRequestWithContext(ctx, out.method, out.url, bytes.NewReader(out.body))
	if err != nil {
		return "", errors.New("the url cannot be used")
	}
	req.Header = out.header
	req.Header.Set(DeliveryHeader, m.ID)
	res, err := c.http.Do(req)
	if err != nil {
		return "", why(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return "", fmt.Errorf("it answered %d", res.StatusCode)
	}
	if err != nil {
		return "", why(err)
	}
	return c.form.read(answer), nil
}

// why says in words of our own what kept a request from its end. Those of the library hold the URL.
func why(err error) error {
	var name *net.DNSError
	var cert *tls.CertificateVerificationError
	var wait net.Error
	var dial *net.OpError
	switch {
	case errors.Is(err, errAddress):
		return errAddress
	case errors.As(err, &name):
		return errors.New("its name cannot be resolved")
	case errors.As(err, &cert):
		return errors.New("its certificate is not one to trust")
	case errors.As(err, &wait) && wait.Timeout():
		return errors.New("it did not answer in time")
	case errors.As(err, &dial):
		return errors.New("it cannot be reached")
	}
	return errors.New("the connection broke")
}
