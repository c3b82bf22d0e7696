// Package prometheus asks a Prometheus server the queries of gates.
//
// An answer is good when it is a scalar that is not zero, or a vector with at least one value and
// none that is zero. All else is not good, and what cannot be read is no answer at all: the
// caller must not take it for a pass.
package prometheus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// What an answer may cost.
const (
	timeout = 10 * time.Second
	// maxBody is how many bytes of an answer are read.
	maxBody = 4 << 20
	// maxWords bounds what is repeated of an error, in bytes.
	maxWords = 300
)

// Client asks one Prometheus. Use it from many goroutines.
type Client struct {
	query *url.URL
	http  *http.Client
}

// New returns a client for the Prometheus at an address such as http://prometheus:9090.
func New(address string) (*Client, error) {
	at, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("the address of Prometheus cannot be read: %w", err)
	}
	if at.Scheme != "http" && at.Scheme != "https" || at.Host == "" || at.RawQuery != "" || at.Fragment != "" {
		return nil, errors.New("the address of Prometheus looks like http://prometheus:9090")
	}
	return &Client{query: at.JoinPath("api/v1/query"), http: &http.Client{Timeout: timeout}}, nil
}

// Ask tells whether the answer to a query is good now. An error means that there is no answer.
func (c *Client) Ask(ctx context.Context, query string) (bool, error) {
	at := *c.query
	at.RawQuery = url.Values{"query": {query}, "timeout": {timeout.String()}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return false, fmt.Errorf("cannot ask Prometheus: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		var why *url.Error
		if errors.As(err, &why) {
			err = why.Err // its URL holds the query, and may hold a password
		}
		return false, fmt.Errorf("cannot ask Prometheus: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	switch {
	case err != nil:
		return false, fmt.Errorf("cannot read the answer of Prometheus: %w", err)
	case len(body) > maxBody:
		return false, fmt.Errorf("the answer of Prometheus is larger than %d bytes: let the query return less", maxBody)
	}
	good, err := read(body)
	if err != nil && res.StatusCode != http.StatusOK {
		return false, fmt.Errorf("prometheus answered with %d: %w", res.StatusCode, err)
	}
	return good, err
}

// answer is the envelope of the query API.
type answer struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Data   struct {
		Type   string          `json:"resultType"`
		Result json.RawMessage `json:"result"`
	} `json:"data"`
}

// read judges the body of an answer.
func read(body []byte) (bool, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return false, errors.New("the answer is not that of Prometheus")
	}
	if a.Status != "success" {
		return false, fmt.Errorf("prometheus did not answer: %s", words(a.Error))
	}
	switch a.Data.Type {
	case "scalar":
		return readPoint(a.Data.Result)
	case "vector":
		return readVector(a.Data.Result)
	}
	return false, fmt.Errorf("the query returns a %s; a gate needs a scalar or an instant vector", words(a.Data.Type))
}

func readVector(raw json.RawMessage) (bool, error) {
	var samples []struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(raw, &samples); err != nil {
		return false, errors.New("the vector cannot be read")
	}
	all := len(samples) > 0
	for _, one := range samples {
		good, err := readPoint(one.Value)
		if err != nil {
			return false, err
		}
		all = all && good
	}
	return all, nil
}

// readPoint judges one value: [1700000000.1, "0.5"]. What is not a number is not good.
func readPoint(raw json.RawMessage) (bool, error) {
	var pair []json.RawMessage
	var text string
	if json.Unmarshal(raw, &pair) != nil || len(pair) != 2 || json.Unmarshal(pair[1], &text) != nil {
		return false, errors.New("a value cannot be read")
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return false, fmt.Errorf("the value %q is no number", words(text))
	}
	return value != 0 && !math.IsNaN(value), nil
}

// words is foreign text, short and in one line.
func words(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if len(text) > maxWords {
		text = strings.ToValidUTF8(text[:maxWords], "") + "…"
	}
	if text == "" {
		return "it gave no reason"
	}
	return text
}
