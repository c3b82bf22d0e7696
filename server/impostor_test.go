package server_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"plumb/agent/protocol"
	"plumb/inventory"
)

// times chooses between a short and a long campaign.
func times(short, long int) int {
	if os.Getenv("PLUMB_SOAK") == "1" {
		return long
	}
	return short
}

// insider is an enrolled host that does what it likes.
type insider struct {
	client
	id    inventory.HostID
	name  string
	epoch string
	draw  *rand.Rand
}

// insiders are several, for each has its own allowance of requests.
func (r *running) insiders(t *testing.T, n int) []*insider {
	t.Helper()
	all := make([]*insider, n)
	for i := range all {
		name := fmt.Sprintf("insider%d", i)
		cert, id, _, _ := r.enroll(t, name)
		all[i] = &insider{r.overTLS(r.at.Agents, cert), id, name, "epoch-of-" + name, rand.New(rand.NewPCG(7, uint64(i)))}
	}
	return all
}

// send makes one request, and waits when the server says so.
func (h *insider) send(method, path string, body []byte, header http.Header) (code int, answer string, err error) {
	for {
		req, err := http.NewRequest(method, h.base+path, bytes.NewReader(body))
		if err != nil {
			return 0, "", err
		}
		req.Header = header
		resp, err := h.http.Do(req)
		if err != nil {
			return 0, "", err
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusTooManyRequests {
			var all bytes.Buffer
			_ = resp.Header.Write(&all)
			return resp.StatusCode, all.String() + string(got), err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// asAnother says in every header that the request comes from another host.
func asAnother(id inventory.HostID, name string) http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	for _, key := range []string{"X-Host-ID", "X-Forwarded-For", "X-Forwarded-User", "X-SSL-Client-DN", "X-Client-Cert", "X-Remote-User", "From", "Authorization", "Cookie"} {
		h.Set(key, string(id)+" "+name)
	}
	h.Set("X-SSL-Client-S-DN", "CN="+string(id))
	return h
}

const factsOfNobody = `{"arch":"amd64"}`

// problemReport is the smallest report: a release that did not compile.
func problemReport(epoch string, seq uint64) string {
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(seq) * time.Minute).Format(time.RFC3339)
	return fmt.Sprintf(`{"epoch":%q,"seq":%d,"release":1,"commit":"c","facts":%q,"started":%q,"finished":%q,"boot_id":"b","problem":"does not compile"}`,
		epoch, seq, inventory.Digest([]byte(factsOfNobody)), at, at)
}

const catalogOfNobody = `{"resources":[]}`

// runReport is the report of a run, and its result as it goes within the check-in.
func runReport(epoch string, seq uint64) (report, object string) {
	catalog := inventory.Digest([]byte(catalogOfNobody))
	result := fmt.Appendf(nil, `{"catalog":%q,"resources":[],"run":"%s %d"}`, catalog, epoch, seq)
	packed, err := protocol.Pack(result)
	if err != nil {
		panic(err) // a buffer takes it all
	}
	names := fmt.Sprintf(`"catalog":%q,"result":%q`, catalog, inventory.Digest(result))
	return strings.Replace(problemReport(epoch, seq), `"problem":"does not compile"`, names, 1),
		fmt.Sprintf("%q:%q", inventory.Digest(result), base64.StdEncoding.EncodeToString(packed))
}

func checkInWith(extra string, reports ...string) []byte {
	return []byte(`{"version":1,"agent":"1"` + extra + `,"reports":[` + strings.Join(reports, ",") + `]}`)
}

// begin sends what every report names.
func (h *insider) begin(t *testing.T) {
	t.Helper()
	report, _ := runReport(h.epoch, 1)
	if code, body, err := h.send("POST", protocol.PathCheckIn, checkInWith("", report), http.Header{}); err != nil || code != http.StatusOK {
		t.Fatalf("check-in: %d %s %v", code, body, err)
	}
	for _, object := range []string{factsOfNobody, catalogOfNobody} {
		if code, body, err := h.send("PUT", protocol.PathObjects+inventory.Digest([]byte(object)), []byte(object), http.Header{}); err != nil || code >= 500 {
			t.Fatalf("%s: %d %s %v", object, code, body, err)
		}
	}
}

// stored is what the server has of a host's reports.
func (r *running) stored(t *testing.T, name string) (reports uint64) {
	t.Helper()
	var v struct {
		Reports uint64 `json:"reports"`
	}
	r.ask(t, "GET", "/v1/hosts/"+name, nil, &v)
	return v.Reports
}

// TestForgedReportsCountForTheSender lets hosts send their reports many times, in any order,
// and as if another host had sent them. None counts for the other, and each counts once.
func TestForgedReportsCountForTheSender(t *testing.T) {
	r := start(t)
	all := r.insiders(t, times(4, 20))
	victim, liars := all[0], all[1:]
	victim.begin(t)
	if code, body, err := victim.send("POST", protocol.PathCheckIn, checkInWith("", problemReport(victim.epoch, 1), problemReport(victim.epoch, 2)), http.Header{}); err != nil || code != http.StatusOK {
		t.Fatalf("check-in: %d %s %v", code, body, err)
	}
	var wg sync.WaitGroup
	var sent sync.Map
	for _, h := range liars {
		h.begin(t)
		wg.Go(func() { sent.Store(h.name, h.forge(t, victim, times(500, 10_000)/len(liars)+1)) })
	}
	wg.Wait()
	if got := r.stored(t, victim.name); got != 2 {
		t.Errorf("the victim has %d reports, want its own 2", got)
	}
	for _, h := range liars {
		want, _ := sent.Load(h.name)
		if got := r.stored(t, h.name); got != want || got < 2 {
			t.Errorf("%s has %d reports stored, want %d", h.name, got, want)
		}
	}
}

// forge sends n forgeries, half of them of runs with their results, and returns how many reports of its own it got through.
func (h *insider) forge(t *testing.T, victim *insider, n int) (own uint64) {
	as := fmt.Sprintf(`,"host":%q,"id":%q,"host_id":%q,"name":%q`, victim.id, victim.id, victim.id, victim.name)
	path := protocol.PathCheckIn + "?host=" + string(victim.id) + "&id=" + victim.name
	for i := range n {
		var reports, objects []string
		tell := func(epoch string, seq uint64) string {
			if seq%2 == 0 {
				return problemReport(epoch, seq)
			}
			report, object := runReport(epoch, seq)
			objects = append(objects, object)
			return report
		}
		for k := range 1 + h.draw.IntN(3) { // the next ones, in order or not, once or twice
			reports = append(reports, tell(h.epoch, own+uint64(k)+1))
		}
		again := tell(h.epoch, uint64(1+h.draw.IntN(int(own)+1)))
		reports = append(reports, again, again)
		if h.draw.IntN(2) == 0 {
			h.draw.Shuffle(len(reports), func(a, b int) { reports[a], reports[b] = reports[b], reports[a] })
		}
		if i%2 == 0 { // the victim's next report, from somebody else
			reports = []string{tell(victim.epoch, uint64(1+h.draw.IntN(4)))}
		}
		within := as + `,"objects":{` + strings.Join(objects, ",") + `}`
		code, body, err := h.send("POST", path, checkInWith(within, reports...), asAnother(victim.id, victim.name))
		if err != nil || code >= 500 {
			t.Errorf("check-in: %d %s %v", code, body, err)
			return own
		}
		if accepted := acceptedOf(body, h.epoch); accepted > own {
			own = accepted
		}
	}
	return own
}

func acceptedOf(body, epoch string) (n uint64) {
	_, after, found := strings.Cut(body, `"epoch":"`+epoch+`","accepted":`)
	if found {
		_, _ = fmt.Sscanf(after, "%d", &n)
	}
	return n
}

// TestNoHostReadsAnother lets hosts ask for all that there is, with whatever they may know of
// another host, in the path, the query, the body and the headers.
func TestNoHostReadsAnother(t *testing.T) {
	r := start(t)
	all := r.insiders(t, times(6, 20))
	victim, others := all[0], all[1:]
	secret := "only-the-victim-knows-this"
	facts := []byte(`{"arch":"` + secret + `"}`)
	digest := inventory.Digest(facts)
	report := strings.ReplaceAll(problemReport(victim.epoch, 1), inventory.Digest([]byte(factsOfNobody)), digest)
	report = strings.ReplaceAll(report, "does not compile", secret)
	for range 2 {
		if code, body, err := victim.send("POST", protocol.PathCheckIn, checkInWith("", report), http.Header{}); err != nil || code != http.StatusOK {
			t.Fatalf("check-in: %d %s %v", code, body, err)
		}
		_, _, _ = victim.send("PUT", protocol.PathObjects+digest, facts, http.Header{})
	}
	if r.stored(t, victim.name) != 1 {
		t.Fatal("the victim's report is not stored, so there is nothing to steal")
	}
	var wg sync.WaitGroup
	for _, h := range others {
		wg.Go(func() { h.pry(t, victim, digest, secret, times(1000, 100_000)/len(others)) })
	}
	wg.Wait()
}

// pry makes n random requests, whose answers must have nothing of the victim that they did not say.
func (h *insider) pry(t *testing.T, victim *insider, digest, secret string, n int) {
	known := []string{string(victim.id), victim.name, digest, victim.epoch}
	paths := []string{"/v1/checkin", "/v1/renew", "/v1/objects/%s", "/v1/tags/%s", "/v1/bundles/%s", "/v1/sets/%s", "/v1/hosts/%s", "/v1/hosts/%s/history", "/v1/hosts/%s/facts",
		"/hosts/%s", "/v1/hosts", "/v1/events?host=%s", "/v1/findings?host=%s", "/v1/objects/facts/%s", "/v1/tags/../hosts/%s", "/v1/bundles/..%%2f..%%2fhosts%%2f%s", "//v1//hosts//%s", "/v1/checkin/%s", "/v1/enroll"}
	methods := []string{"GET", "GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"}
	pick := func(from []string) string { return from[h.draw.IntN(len(from))] }
	for range n {
		path := pick(paths)
		if strings.Contains(path, "%s") {
			path = fmt.Sprintf(path, url.PathEscape(pick(known)))
		}
		if h.draw.IntN(2) == 0 {
			path += "?host=" + url.QueryEscape(pick(known))
		}
		said := pick(known)
		body := checkInWith(fmt.Sprintf(`,"host":%q,"id":%q,"epoch":%q,"digest":%q`, said, said, victim.epoch, digest), problemReport(pick(known), uint64(1+h.draw.IntN(3))))
		_, answer, err := h.send(pick(methods), path, body, asAnother(victim.id, said))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		if strings.Contains(answer, secret) {
			t.Errorf("%s gave away what the victim sent: %.300s", path, answer)
		}
	}
}

// TestNamesOfHostsNameNoFile enrols hosts with hostile names. They are refused, or hold only what
// a name may hold, and no file of the server has a word of them in its path.
func TestNamesOfHostsNameNoFile(t *testing.T) {
	r := start(t)
	draw := rand.New(rand.NewPCG(11, 14))
	const mark = "cuckoo" // in each name, so that it is found in a path whatever became of the rest
	parts := []string{"..", "/", "\\", "%2e%2e%2f", "\x00", "a", "-", ".", "~", "$(id)", "`id`", ";", "\n", "\u202e", "\u2215", "C:", "|", "*", "'", "\"", "é", "İ", "\xff", "con", "'; DROP TABLE hosts;--"}
	taken, refused := 0, 0
	var c client
	secret, csr := "", ""
	for i := range times(400, 10_000) {
		name := mark
		for range draw.IntN(5) {
			name = parts[draw.IntN(len(parts))] + name + parts[draw.IntN(len(parts))]
		}
		switch {
		case i%100 == 0:
			name = strings.Repeat("../", 90) + name
		case i%10 == 0: // an honest one, so that some are stored
			name = fmt.Sprintf("%s-%d.x", mark, i)
		}
		if i%50 == 0 { // strangers share an allowance by address
			c = r.overTLS(r.at.People)
		}
		if csr == "" {
			secret = r.enrolSecret(t)
			_, csr = hostKey(t)
		}
		switch code := c.do(t, "POST", protocol.PathEnroll, protocol.Enrollment{Secret: secret, Name: name, CSR: csr}, nil); {
		case code == http.StatusOK:
			taken, csr = taken+1, ""
		case code >= 400 && code < 500 && code != http.StatusTooManyRequests:
			refused++
		default:
			t.Fatalf("enrolling %q: %d", name, code)
		}
	}
	t.Logf("%d refused, %d taken", refused, taken)
	if taken == 0 || refused == 0 {
		t.Errorf("%d refused, %d taken: the test shows nothing", refused, taken)
	}
	var hosts []struct {
		Name string `json:"name"`
	}
	r.ask(t, "GET", "/v1/hosts", nil, &hosts)
	for _, h := range hosts {
		if err := inventory.CheckName(h.Name); err != nil {
			t.Errorf("stored: %v", err)
		}
	}
	err := filepath.WalkDir(r.data, func(path string, _ os.DirEntry, err error) error {
		if strings.Contains(strings.ToLower(path), mark) {
			t.Errorf("a file is called after a host: %q", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
