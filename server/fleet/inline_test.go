package fleet

import (
	"fmt"
	"strings"
	"testing"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
	"plumb/server/store"
)

// inlineSite is a fleet that knows facts and catalog of a host, which is about to report the rest.
func inlineSite(t *testing.T) (*Fleet, *agent) {
	t.Helper()
	f := newFleet(t)
	a := f.enrol(t, "web1")
	_, err := a.deliver(t.Context(), start, a.report(1, outcome{"file.a": policies.Compliant}, start))
	must(t, err)
	return f, a
}

func pack(t *testing.T, raw []byte) []byte {
	t.Helper()
	packed, err := protocol.Pack(raw)
	must(t, err)
	return packed
}

// A changed result takes one request, and is the one that its digest names.
func TestAResultComesWithItsReport(t *testing.T) {
	f, a := inlineSite(t)
	r := a.report(1, outcome{"file.a": policies.Repaired}, start)
	in := protocol.CheckIn{Version: 1, Reports: []policies.Report{r}, Objects: map[string][]byte{r.Result: pack(t, a.objects[r.Result])}}
	answer, err := f.CheckIn(t.Context(), a.id, in, start)
	must(t, err)
	same(t, "answer", answer, protocol.Answer{Epoch: r.Epoch, Accepted: r.Seq, Want: []string{}, Interval: 300})
	raw, err := f.Store.Object(t.Context(), store.Ref{Kind: store.KindResult, Digest: r.Result})
	must(t, err)
	same(t, "stored result", string(raw), string(a.objects[r.Result]))
	if n := len(f.inbox.results); n != 0 || f.inbox.bytes != 0 {
		t.Errorf("%d results of %d bytes wait in memory after all was stored", n, f.inbox.bytes)
	}
}

// A result that waits for its catalog need not come again.
func TestAResultWaitsForItsCatalog(t *testing.T) {
	f, a := inlineSite(t)
	r := a.report(1, outcome{"file.b": policies.Repaired}, start)
	in := protocol.CheckIn{Version: 1, Reports: []policies.Report{r}, Objects: map[string][]byte{r.Result: pack(t, a.objects[r.Result])}}
	answer, err := f.CheckIn(t.Context(), a.id, in, start)
	must(t, err)
	same(t, "wanted", answer.Want, []string{r.Catalog})
	must(t, f.PutObject(t.Context(), a.id, r.Catalog, a.objects[r.Catalog], start))
	in.Objects = nil
	answer, err = f.CheckIn(t.Context(), a.id, in, start)
	must(t, err)
	same(t, "accepted", answer.Accepted, r.Seq)
}

// What cannot be used is asked for, as if it had not been sent; nothing of it is kept.
func TestUnusableResultsInACheckIn(t *testing.T) {
	f, a := inlineSite(t)
	good := a.report(1, outcome{"file.a": policies.Repaired}, start)
	raw := a.objects[good.Result]
	lie := []byte(strings.Replace(string(raw), "repaired", "missing", 1)) // no status that a host gives
	bad := good
	bad.Result = inventory.Digest(lie)
	huge := strings.Repeat(" ", protocol.MaxObject) + string(raw)
	large := good
	large.Result = inventory.Digest([]byte(huge))
	stranger := []byte(`{"catalog":"","resources":[]}`)
	for name, c := range map[string]struct {
		report policies.Report
		object []byte
	}{
		"another's content":  {good, pack(t, stranger)},
		"not gzip":           {good, raw},
		"cut":                {good, pack(t, raw)[:20]},
		"empty":              {good, nil},
		"what nobody gives":  {bad, pack(t, lie)},
		"more than fits in":  {large, pack(t, []byte(huge))},
		"more than may come": {good, append(pack(t, raw), make([]byte, protocol.MaxObjects)...)},
		"trailing foreign":   {good, append(pack(t, raw), "garbage"...)},
		"two in one":         {good, append(pack(t, raw), pack(t, stranger)...)},
	} {
		t.Run(name, func(t *testing.T) {
			in := protocol.CheckIn{Version: 1, Reports: []policies.Report{c.report}, Objects: map[string][]byte{
				c.report.Result: c.object, inventory.Digest(stranger): pack(t, stranger), good.Facts: pack(t, raw)}}
			answer, err := f.CheckIn(t.Context(), a.id, in, start)
			must(t, err)
			same(t, "wanted", answer.Want, []string{c.report.Result})
			same(t, "accepted", answer.Accepted, good.Seq-1)
			same(t, "kept", len(f.inbox.results), 0)
		})
	}
	missing, err := f.Store.Missing(t.Context(), []store.Ref{{Kind: store.KindResult, Digest: inventory.Digest(stranger)}})
	must(t, err)
	same(t, "stored without a report that names it", len(missing), 1)
	_, err = a.deliver(t.Context(), start, good)
	must(t, err)
}

// A host may send many results at once, but not more than comes out of one object.
func TestResultsInACheckInShareOneCap(t *testing.T) {
	f, a := inlineSite(t)
	in := protocol.CheckIn{Version: 1, Objects: map[string][]byte{}}
	for range 3 {
		r := a.report(1, outcome{"file.a": policies.Repaired}, start)
		raw := append([]byte(strings.Repeat(" ", protocol.MaxObject/5*2+int(r.Seq))), a.objects[r.Result]...)
		r.Result = inventory.Digest(raw)
		in.Reports, in.Objects[r.Result] = append(in.Reports, r), pack(t, raw)
	}
	answer, err := f.CheckIn(t.Context(), a.id, in, start)
	must(t, err)
	same(t, "accepted", answer.Accepted, in.Reports[1].Seq)
	same(t, "wanted", answer.Want, []string{in.Reports[2].Result})
}

// TestInlineResultsAreKeptApart has results come in one check-in, which are unpacked one after the other.
func TestInlineResultsAreKeptApart(t *testing.T) {
	f := newFleet(t)
	a := f.enrol(t, "web1")
	a.inline = true
	large := outcome{}
	for i := range 300 {
		large[fmt.Sprint(i)] = policies.Compliant
	}
	var reports []policies.Report
	for _, found := range []outcome{{"a": policies.Compliant}, {"a": policies.Repaired}, large, {"b": policies.Failed}} {
		reports = append(reports, a.report(1, found, start))
	}
	_, err := a.deliver(t.Context(), start, reports...)
	must(t, err)
	for _, r := range reports {
		raw, err := f.Store.Object(t.Context(), store.Ref{Kind: store.KindResult, Digest: r.Result})
		must(t, err)
		same(t, "stored result", string(raw), string(a.objects[r.Result]))
	}
}
