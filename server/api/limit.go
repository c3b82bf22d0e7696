package api

import (
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rates, in requests a second and in one burst. Strangers share theirs by address. Everybody
// who proved who they are has their own.
const (
	strangerRate, strangerBurst = 5, 60
	knownRate, knownBurst       = 20, 200
	limiterEntries              = 100_000
)

// limiter holds a token bucket for each caller. It forgets them all when it is full, which
// costs an attacker more than it gains: everybody starts with a full bucket again.
type limiter struct {
	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

func (l *limiter) allow(c Caller, r *http.Request, now time.Time) error {
	if c.Local {
		return nil
	}
	if l.bucket(c, r).AllowN(now, 1) {
		return nil
	}
	return &Error{Code: http.StatusTooManyRequests, Text: "too many requests", Hint: "wait a little, then try again", After: 5 * time.Second}
}

func (l *limiter) bucket(c Caller, r *http.Request) *rate.Limiter {
	key, limit, burst := bucketKey(c, r)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buckets == nil || len(l.buckets) > limiterEntries {
		l.buckets = map[string]*rate.Limiter{}
	}
	b, ok := l.buckets[key]
	if !ok {
		b = rate.NewLimiter(rate.Limit(limit), burst)
		l.buckets[key] = b
	}
	return b
}

func bucketKey(c Caller, r *http.Request) (key string, limit, burst int) {
	switch {
	case c.Host != "":
		return "host " + string(c.Host), knownRate, knownBurst
	case c.Role != "":
		return "person " + c.Name, knownRate, knownBurst
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return "address " + host, strangerRate, strangerBurst
}
