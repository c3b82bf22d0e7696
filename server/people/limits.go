package people

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How often somebody may try: so many at once, then one in so long. A browser that signed in
// before has tries of its own, so that strangers who use up an account's do not keep its person out.
const (
	addressBurst, addressEvery = 20, 3 * time.Second
	pairBurst, pairEvery       = 8, 15 * time.Second
	accountBurst, accountEvery = 60, 20 * time.Second
	deviceBurst, deviceEvery   = 8, 15 * time.Second
	mostBuckets                = 20_000
)

// limits says who has to wait.
type limits struct {
	address, pair, account, device *buckets
}

func newLimits() *limits {
	return &limits{
		address: newBuckets(addressBurst, addressEvery), pair: newBuckets(pairBurst, pairEvery),
		account: newBuckets(accountBurst, accountEvery), device: newBuckets(deviceBurst, deviceEvery),
	}
}

// take uses up a try, or returns how long to wait. A try that one bucket refuses costs the
// others nothing: whoever floods from one address does not use up the account's tries.
func (l *limits) take(account, address, device string, now time.Time) time.Duration {
	if device != "" {
		return l.device.take(device, now)
	}
	network := networkOf(address)
	if wait := l.address.take(network, now); wait > 0 {
		return wait
	}
	if wait := l.pair.take(account+" "+network, now); wait > 0 {
		return wait
	}
	return l.account.take(account, now)
}

// networkOf is the address of a request without its port; of IPv6 it is what one customer has.
func networkOf(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	at, err := netip.ParseAddr(host)
	if err != nil || at.Unmap().Is4() {
		return host
	}
	network, err := at.WithZone("").Prefix(64)
	if err != nil {
		return host
	}
	return network.String()
}

// buckets are the tries left, by key. When there are too many keys, the ones with all their tries
// left are dropped, which changes nothing for them. If that is not enough, newcomers share a bucket:
// a flood of keys must not give anybody new tries.
type buckets struct {
	mu    sync.Mutex
	burst int
	every time.Duration
	of    map[string]*rate.Limiter
	rest  *rate.Limiter
	swept time.Time
}

func newBuckets(burst int, every time.Duration) *buckets {
	return &buckets{burst: burst, every: every, of: map[string]*rate.Limiter{}, rest: rate.NewLimiter(rate.Every(every), burst)}
}

func (b *buckets) take(key string, now time.Time) time.Duration {
	r := b.bucket(key, now).ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

func (b *buckets) bucket(key string, now time.Time) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	if one, ok := b.of[key]; ok {
		return one
	}
	b.sweep(now)
	if len(b.of) >= mostBuckets {
		return b.rest
	}
	one := rate.NewLimiter(rate.Every(b.every), b.burst)
	b.of[key] = one
	return one
}

// sweep drops full buckets, once in a while and only when there are many.
func (b *buckets) sweep(now time.Time) {
	if len(b.of) < mostBuckets || now.Sub(b.swept) < b.every {
		return
	}
	b.swept = now
	for key, one := range b.of {
		if one.TokensAt(now) >= float64(b.burst) {
			delete(b.of, key)
		}
	}
}
